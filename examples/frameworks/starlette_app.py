"""A Starlette application with a lifespan, whose state every request sees."""

from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


@asynccontextmanager
async def lifespan(app):
    yield {"greeting": "Hello"}  # what is opened here is closed behind the yield


async def greet(request):
    return PlainTextResponse(f"{request.state.greeting}, {request.path_params['name']}!\n")


app = Starlette(routes=[Route("/hello/{name}", greet)], lifespan=lifespan)
