"""Contacts behind Django REST framework as its tutorial makes them: a program for the environment of requirements.txt.

`python contacts.py DIRECTORY PORT` makes the database in the directory and serves /contacts/.
"""

import sys
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(Path(sys.argv[1]) / "crm.sqlite")}},
    INSTALLED_APPS=["rest_framework"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "PAGE_SIZE": 10,
        "UNAUTHENTICATED_USER": None,
    },
    ROOT_URLCONF=__name__,
    USE_TZ=True,
)
django.setup()

from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.db import connection, models  # noqa: E402
from rest_framework import routers, serializers, viewsets  # noqa: E402


class Contact(models.Model):
    """As the other side's."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=100, null=True)
    phone = models.CharField(max_length=20, null=True)

    class Meta:
        app_label = "contacts"


class Contacts(viewsets.ModelViewSet):
    """All verbs."""

    class serializer_class(serializers.ModelSerializer):  # noqa: N801 - the framework's name
        class Meta:
            model = Contact
            fields = ("id", "email", "name", "phone")

    def get_queryset(self):
        found = Contact.objects.order_by("id")
        email = self.request.query_params.get("email")
        return found if email is None else found.filter(email__iexact=email)


router = routers.DefaultRouter()
router.register("contacts", Contacts, basename="contact")
urlpatterns = router.urls


class Quiet(WSGIRequestHandler):
    """Without a line for each request."""

    def log_message(self, *args):
        pass


with connection.schema_editor() as editor:
    editor.create_model(Contact)
make_server("127.0.0.1", int(sys.argv[2]), WSGIHandler(), handler_class=Quiet).serve_forever()
