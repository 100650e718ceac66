"""The Django project, with views that tell where they run, and how many threads were started."""

import threading
import time

import django_app
from django.http import JsonResponse
from django.urls import path

app = django_app.app
start, started = threading.Thread.start, []


def counted_start(thread):
    started.append(thread.name)
    start(thread)


threading.Thread.start = counted_start  # type: ignore[method-assign]
gate = threading.Event()


def where(request):
    time.sleep(float(request.GET.get("for", 0)))
    return JsonResponse({"thread": threading.current_thread().name, "started": len(started)})


def hang(request):
    django_app.noted.append("hanging")
    gate.wait(30)
    return JsonResponse({"thread": threading.current_thread().name})


async def let_go(request):
    gate.set()
    return JsonResponse({})


django_app.urlpatterns += [path("where", where), path("hang", hang), path("let-go", let_go)]
