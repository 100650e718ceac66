"""A Django project in one module."""

import asyncio
import hashlib
import threading
import time
from contextvars import ContextVar

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.signals import request_finished, request_started
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for tests only",
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    LOGGING_CONFIG=None,
)

noted: list[str] = []
gates = [asyncio.Event() for _ in range(3)]
visitor: ContextVar[str] = ContextVar("visitor", default="nobody")
signals = {"started": 0, "finished": 0}


def count(name):
    def receiver(**_):
        signals[name] += 1

    return receiver


started, finished = count("started"), count("finished")
request_started.connect(started)
request_finished.connect(finished)


async def greet(request):
    return JsonResponse({"hello": request.GET.get("name"), "pool": "open"})


def threaded(request):
    return JsonResponse({"from": "a thread"})


def form(request):
    fields = [(name, value) for name, values in request.POST.lists() for value in values]
    return JsonResponse({"fields": fields}, status=201)


async def upload(request):
    file = request.FILES["file"]
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    return JsonResponse({"name": file.name, "digest": digest.hexdigest()})


async def stream(request):
    async def pieces():
        for number in range(100):
            yield f"{number}\n" * 100

    return StreamingHttpResponse(pieces(), content_type="text/plain")


async def events(request):
    async def told():
        for number, gate in enumerate(gates):
            yield f"data: {number}\n\n"
            await gate.wait()

    return StreamingHttpResponse(told(), content_type="text/event-stream")


async def next_event(request):
    next(gate for gate in gates if not gate.is_set()).set()
    return HttpResponse(status=204)


async def endless(request):
    async def pieces():
        while True:
            yield b"x" * 65536
            await asyncio.sleep(0)

    return StreamingHttpResponse(pieces())


async def patient(request):
    try:
        noted.append("patient began")
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        noted.append("patient cancelled")
        raise


def patient_in_a_thread(request):
    noted.append("thread began")
    time.sleep(0.5)
    noted.append("thread ended")
    return HttpResponse("too late")


async def facts(request):
    return JsonResponse(signals | {"threads": threading.active_count()})


async def read_noted(request):
    return JsonResponse(noted, safe=False)


async def visit(request):
    before = visitor.get()
    visitor.set(request.GET["name"])
    return HttpResponse(before)


def fail(request):
    raise ValueError("the view's own error")


async def headers(request):
    response = JsonResponse(request.headers["x-thing"].split(","), safe=False)
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


async def moved(request):
    return HttpResponseRedirect("/json?name=moved")


urlpatterns = [
    path("json", greet),
    path("sync", threaded),
    path("form", form),
    path("upload", upload),
    path("stream", stream),
    path("events", events),
    path("next", next_event),
    path("endless", endless),
    path("patient", patient),
    path("patient-in-a-thread", patient_in_a_thread),
    path("facts", facts),
    path("noted", read_noted),
    path("visit", visit),
    path("error", fail),
    path("headers", headers),
    path("moved", moved),
]
app = get_asgi_application()
