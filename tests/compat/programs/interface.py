"""A program that is frozen with its application: it does not look for it by name."""

from hello import application

from daphne_like.cli import CommandLineInterface


class Frozen(CommandLineInterface):
    description = "Say hello"

    def __init__(self):
        super().__init__()
        self.parser.add_argument("--app-dir", help="what the tests give to every server")

    def load_asgi_app(self, asgi_app_path):
        return application


if __name__ == "__main__":
    Frozen.entrypoint()
