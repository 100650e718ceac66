class Application:
    def __rsgi_init__(self, loop):
        self.greeting = loop.run_until_complete(self.load())

    async def load(self):
        return "Hello"

    async def __rsgi__(self, scope, protocol):
        if scope.proto == "ws":
            await self.echo(protocol)
        else:
            name = scope.path.rpartition("/")[2]
            headers = [("content-type", "text/plain")]
            protocol.response_str(200, headers, f"{self.greeting}, {name}!\n")

    async def echo(self, protocol):
        transport = await protocol.accept()
        while (message := await transport.receive()).kind == 2:
            await transport.send_str(message.data)


app = Application()
