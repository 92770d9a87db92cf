"""All settings, each read once from the environment, all optional; a bad value is one line that names its variable."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

from deploy.environment import Environment, SettingError, kept_port
from mirrors.purging.setting import TOKENS, PurgeSettingError, purgers_of

BASE_DIR = Path(__file__).resolve().parent.parent

try:
    env = Environment()

    # State of the server: database, keys, published store.
    ALMANAC_HOME = Path(env.text("ALMANAC_HOME", str(BASE_DIR / "var"))).expanduser().absolute()
    STAGING_DIR = ALMANAC_HOME / "staging"

    # Publication.
    ALMANAC_STORES = env.words("ALMANAC_STORE", [f"file://{ALMANAC_HOME / 'store'}"])
    S3_ENDPOINT_URL = env.text("S3_ENDPOINT_URL")
    PORT_FILE = ALMANAC_HOME / "port"
    PORT = env.number("PORT", kept_port(PORT_FILE), low=1, high=65535)
    PUBLIC_BASE_URL = env.web_address("PUBLIC_BASE_URL", f"http://127.0.0.1:{PORT}")
    WEB_CONCURRENCY = env.number("WEB_CONCURRENCY", 2, low=1, high=256)

    # Keys: sealed files, opened by the publisher only, never by the web process.
    KEYS_DIR = ALMANAC_HOME / "keys"
    _passphrase = env.secret("KEY_PASSPHRASE")
    KEY_PASSPHRASE = _passphrase.encode() if _passphrase else None

    # Review. A fresh installation is one person's: made, approved and applied in one step.
    TWO_PERSON_REVIEW = env.flag("ALMANAC_TWO_PERSON_REVIEW")

    # Caches in front of us that are told after a commit: see mirrors/purging/setting.py.
    CDN_PURGE = env.words("CDN_PURGE", [])
    CDN_PURGE_TOKENS = {name: env.secret(name) or "" for name in TOKENS.values()}
    purgers_of(CDN_PURGE, CDN_PURGE_TOKENS, connect=lambda: None)

    # Database, cache, broker.
    DATABASES = {"default": env.database("DATABASE_URL", ALMANAC_HOME / "almanac.sqlite3")}
    _cache = env.text("CACHE_URL")
    CELERY_BROKER_URL = env.secret("CELERY_BROKER_URL") or ""

    # Web.
    ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]"])
    METRICS_PUBLIC = env.flag(
        "METRICS_PUBLIC"
    )  # otherwise /metrics answers this machine's own processes only
    LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))
    LOG_FORMAT = env.choice("LOG_FORMAT", "text", ("text", "json"))
    SECRET_KEY = env.secret("SECRET_KEY") or ""
    if _cache and not _cache.startswith(("redis://", "rediss://")):
        raise SettingError(f"CACHE_URL={_cache!r} is not a redis:// or rediss:// address")
except (SettingError, PurgeSettingError) as error:
    sys.stderr.write(f"error: usage: {error}\n")
    raise SystemExit(2) from None


def _kept_secret_key(path: Path) -> str:
    """The installation's own key, made at the first start and kept where the database is; empty before that."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


SECRET_KEY_PATH = ALMANAC_HOME / "secret_key"
SECRET_KEY = SECRET_KEY or _kept_secret_key(SECRET_KEY_PATH)
SECRET_KEY_IS_NEW = not SECRET_KEY
SECRET_KEY = SECRET_KEY or secrets.token_urlsafe(50)
DEBUG = False
SECURE = PUBLIC_BASE_URL.startswith("https://")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.admin.apps.SimpleAdminConfig",
    "rest_framework",
    "catalog.apps.CatalogConfig",
    "mirrors.apps.MirrorsConfig",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "deploy.middleware.ContentSecurityPolicyMiddleware",
]
ROOT_URLCONF = "deploy.urls"
WSGI_APPLICATION = "deploy.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

if _cache:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": _cache}}

# Times are stored and shown in UTC: a catalog's boundaries are the same moment for every reader.
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
LANGUAGE_CODE = "en"

STATIC_URL = "static/"
STATIC_ROOT = ALMANAC_HOME / "static"
STATICFILES_DIRS = [BASE_DIR / "deploy" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = False
WHITENOISE_MANIFEST_STRICT = False

# Sign-in.
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Strict"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SECURE = SECURE
CSRF_COOKIE_SECURE = SECURE
CSRF_COOKIE_SAMESITE = "Strict"
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS", [PUBLIC_BASE_URL] if SECURE else [])

# Transport.
SECURE_SSL_REDIRECT = (
    False  # plain addresses never redirect: three of the clients that read them do not follow
)
SECURE_HSTS_SECONDS = 63072000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_HSTS_PRELOAD = SECURE
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "deploy.problems.forged"
LOGIN_REDIRECT_URL = "/admin/"
SILENCED_SYSTEM_CHECKS = [
    "security.W008",  # SECURE_SSL_REDIRECT: see above; the samples in deploy/ redirect /admin/ at the proxy
    *(
        [] if SECURE else ["security.W004", "security.W012", "security.W016"]
    ),  # plain http on loopback is the default start
]
if SECRET_KEY_IS_NEW:
    SILENCED_SYSTEM_CHECKS.append("security.W009")

DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000

# Celery: the database is the truth about work, the broker only wakes workers up.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TIME_LIMIT = 1500
CELERY_TASK_SOFT_TIME_LIMIT = 1200
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
        "json": {"()": "deploy.logs.JsonFormatter"},
    },
    "filters": {"short": {"()": "deploy.logs.Short"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["short"]},
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        name: {"handlers": ["stderr"], "level": LOG_LEVEL, "propagate": False}
        for name in ("catalog", "mirrors", "signing", "deploy")
    },
}

REST_FRAMEWORK = {
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}
