"""A page for each room."""

from django.shortcuts import render
from django.urls import path


def room(request, name):
    return render(request, "chat/room.html", {"room": name})


urlpatterns = [path("<str:name>/", room)]
