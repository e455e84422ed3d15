"""Contacts behind Django REST framework, and an authorization server beside them, which is Django OAuth Toolkit.

`python contacts.py DIRECTORY PORT` makes the database in the directory and serves /contacts/ and /o/: token and
revocation endpoints. A refresh token is replaced when it is used, and a use of the former one revokes all of its line.
"""

import sys
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.ModelBackend"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(Path(sys.argv[1]) / "crm.sqlite")}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider", "rest_framework"],
    OAUTH2_PROVIDER={
        "ACCESS_TOKEN_EXPIRE_SECONDS": 3600,
        "REFRESH_TOKEN_REUSE_PROTECTION": True,
        "ROTATE_REFRESH_TOKEN": True,
        "SCOPES": {"contacts": "read and write contacts"},
    },
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["oauth2_provider.contrib.rest_framework.OAuth2Authentication"],
        "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
        "DEFAULT_PERMISSION_CLASSES": ["oauth2_provider.contrib.rest_framework.TokenHasScope"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "PAGE_SIZE": 10,
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY="of the tests",  # noqa: S106
    USE_TZ=True,
)
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.urls import include, path  # noqa: E402
from oauth2_provider.models import Application  # noqa: E402
from rest_framework import routers, serializers, viewsets  # noqa: E402


class Contact(models.Model):
    """As the other side's."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=100, null=True)
    phone = models.CharField(max_length=20, null=True)

    class Meta:
        app_label = "contacts"


class Contacts(viewsets.ModelViewSet):
    """All verbs, for whoever has the scope."""

    required_scopes = ("contacts",)

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
urlpatterns = [*router.urls, path("o/", include("oauth2_provider.urls", namespace="oauth2_provider"))]


class Quiet(WSGIRequestHandler):
    """Without a line for each request."""

    def log_message(self, *args):
        pass


call_command("migrate", verbosity=0)
with connection.schema_editor() as editor:
    editor.create_model(Contact)
person = get_user_model().objects.create_user("ada", password="of the tests")  # noqa: S106
for name, grant in (("machine", Application.GRANT_CLIENT_CREDENTIALS), ("consent", Application.GRANT_PASSWORD)):
    Application.objects.create(
        authorization_grant_type=grant,
        client_id=name,
        client_secret="s3cret-of+the/tests%41",  # noqa: S106
        client_type=Application.CLIENT_CONFIDENTIAL,
        name=name,
        user=person,
    )
make_server("127.0.0.1", int(sys.argv[2]), WSGIHandler(), handler_class=Quiet).serve_forever()
