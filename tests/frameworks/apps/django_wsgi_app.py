"""A Django project in one module, by its WSGI door."""

import hashlib
import threading
from pathlib import Path

from django.conf import settings
from django.core.signals import request_finished
from django.core.wsgi import get_wsgi_application
from django.http import (
    FileResponse,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for tests only",
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
)

noted: list[str] = []
gates = [threading.Event() for _ in range(3)]


def note_finished(**_):
    noted.append("finished")


request_finished.connect(note_finished)


def greet(request):
    return JsonResponse({"hello": request.GET["name"]})


def form(request):
    fields = [(name, value) for name, values in request.POST.lists() for value in values]
    return JsonResponse({"fields": fields}, status=201)


def upload(request):
    digest, size = hashlib.sha256(), 0
    while piece := request.read(65536):
        digest.update(piece)
        size += len(piece)
    return JsonResponse({"size": size, "digest": digest.hexdigest()})


def stream(request):
    return StreamingHttpResponse(f"{number}\n" * 100 for number in range(100))


def events(request):
    def told():
        for number, gate in enumerate(gates):
            yield f"data: {number}\n\n"
            assert gate.wait(30)

    return StreamingHttpResponse(told(), content_type="text/event-stream")


def next_event(request):
    next(gate for gate in gates if not gate.is_set()).set()
    return HttpResponse(status=204)


def endless(request):
    def pieces():
        try:
            while True:
                yield b"x" * 65536
        finally:
            noted.append("endless closed")

    return StreamingHttpResponse(pieces())


def read_noted(request):
    return JsonResponse(noted, safe=False)


def fail(request):
    raise ValueError("the view's own error")


def headers(request):
    response = JsonResponse(request.headers["x-thing"].split(","), safe=False)
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


def file(request):
    return FileResponse(Path(__file__).open("rb"), content_type="text/plain")


def moved(request):
    return HttpResponseRedirect("/json?name=moved")


urlpatterns = [
    path("json", greet),
    path("form", form),
    path("upload", upload),
    path("stream", stream),
    path("events", events),
    path("next", next_event),
    path("endless", endless),
    path("noted", read_noted),
    path("error", fail),
    path("headers", headers),
    path("file", file),
    path("moved", moved),
]
app = get_wsgi_application()
