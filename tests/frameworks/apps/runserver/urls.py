"""Views for tests of runserver; they take the place of the example's."""

import asyncio
import threading

from django.core.signals import request_finished, request_started
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.urls import path, reverse

noted: list[str] = []


def note(word):
    def receiver(**_):
        noted.append(word)

    return receiver


receivers = [note("started"), note("finished")]
request_started.connect(receivers[0])
request_finished.connect(receivers[1])


def greeting(request):
    return HttpResponse("Hello!\n", content_type="text/plain")


def moved(request):
    return HttpResponseRedirect("/")


def fail(request):
    raise ValueError("the view's own error")


def where(request):
    return JsonResponse({"scheme": request.scheme, "name": reverse("where")})


def groups(request):
    from django.contrib.auth.models import Group  # Where that app is installed.

    return JsonResponse([group.name for group in Group.objects.all()], safe=False)


def stuck(request):
    noted.append("stuck")
    threading.Event().wait()


async def patient(request):
    noted.append("patient began")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        noted.append("patient cancelled")
        raise


async def endless(request):
    async def pieces():
        try:
            while True:
                yield b"x" * 1000
                await asyncio.sleep(0.01)
        finally:
            noted.append("stream ended")

    return StreamingHttpResponse(pieces())


async def read_noted(request):
    return JsonResponse(noted, safe=False)


urlpatterns = [
    path("", greeting),
    path("moved", moved),
    path("fail", fail),
    path("where", where, name="where"),
    path("groups", groups),
    path("stuck", stuck),
    path("patient", patient),
    path("endless", endless),
    path("noted", read_noted),
]
