"""Early hints in front of any application: browsers fetch a style while the page is being made."""

from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

LINKS = [b"</static/site.css>; rel=preload; as=style"]


def with_hints(application):
    async def hinted(scope, receive, send):
        if "http.response.early_hint" in scope.get("extensions", ()):
            await send({"type": "http.response.early_hint", "links": LINKS})
        await application(scope, receive, send)

    return hinted


async def page(request):
    return HTMLResponse('<link rel="stylesheet" href="/static/site.css"><p>Slowly made.')


application = with_hints(Starlette(routes=[Route("/", page)]))
