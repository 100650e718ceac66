"""A view that runs in a thread, one that runs in the event loop, and one that streams."""

import asyncio

from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path


def greeting(request, name):
    return HttpResponse(f"Hello, {name}!\n", content_type="text/plain")


async def address(request):
    return HttpResponse(f"{request.META['REMOTE_ADDR']}\n", content_type="text/plain")


async def countdown(request):
    return StreamingHttpResponse(lines(), content_type="text/plain")


async def lines():
    for number in (3, 2, 1):
        yield f"{number}\n"
        await asyncio.sleep(0.25)


urlpatterns = [
    path("hello/<str:name>", greeting),
    path("address", address),
    path("countdown", countdown),
]
