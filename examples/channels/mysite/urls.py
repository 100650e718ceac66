"""The page of a room."""

from django.urls import path
from django.views.generic import TemplateView

urlpatterns = [path("<slug:room>/", TemplateView.as_view(template_name="room.html"))]
