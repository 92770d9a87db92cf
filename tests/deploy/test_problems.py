"""What Django refuses by itself is as plain, and as uncached, as what the origin refuses."""

import json

import pytest
from django.test import Client

ADDRESSES = (
    "/nothing",
    "/api/v1/nothing",
    "/schemas/nothing.json",
    "/static/nothing.css",
    "/%ff",
    "/..",
    "/" + "a" * 5000,
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_unknown_address_is_a_problem_document_that_no_cache_keeps(address):
    answer = Client().get(address)
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert answer["Cache-Control"] == "no-store"
    assert json.loads(answer.content)["status"] == 404


def test_who_reads_pages_gets_a_page():
    answer = Client().get("/nothing", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (answer.status_code, answer["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert b"There is nothing at this address." in answer.content
    assert "Accept" in answer["Vary"]


@pytest.mark.parametrize("address", ["/", "/healthz", "/readyz", "/metrics", "/schemas/", "/schemas/v2.json"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_what_can_only_be_read_says_so_to_whoever_writes(address, method):
    answer = Client(enforce_csrf_checks=True).generic(method, address)
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("host", ["evil.example", "a b", "127.0.0.1:x", ""])
def test_a_host_that_is_not_ours_is_refused_without_a_word_about_the_server(host):
    answer = Client().get("/", headers={"host": host})
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert b"Traceback" not in answer.content
    assert b"jango" not in answer.content


def test_a_form_without_its_token_is_refused_in_our_words():
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/admin/login/", {"username": "operator", "password": "guess"})
    assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json")
    assert "token" in json.loads(answer.content)["detail"]


def test_a_fault_of_ours_shows_nothing_of_itself(settings):
    settings.ROOT_URLCONF = "tests.deploy.faulty"
    answer = Client(raise_request_exception=False).get("/fault")
    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert b"secret detail" not in answer.content


@pytest.mark.django_db
def test_an_operator_who_signs_in_by_a_strangers_link_lands_in_the_admin(django_user_model):
    django_user_model.objects.create_superuser("operator", password="secret")
    form = {"username": "operator", "password": "secret", "next": "//evil.example/"}
    answer = Client().post("/admin/login/?next=//evil.example/", form)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
