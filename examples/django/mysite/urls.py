"""A view that runs in a thread, and one that runs in the event loop."""

import asyncio

from django.http import HttpResponse
from django.urls import path


def greeting(request):
    return HttpResponse("Hello!\n", content_type="text/plain")


async def later(request):
    await asyncio.sleep(1)
    return HttpResponse("Here it is.\n", content_type="text/plain")


urlpatterns = [
    path("", greeting),
    path("later", later),
]
