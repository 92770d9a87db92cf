"""Who may sign in, and what they may do."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User

from catalog.admin.site import site


@admin.register(User, site=site)
class PersonAdmin(UserAdmin):
    list_display = ("username", "email", "is_staff", "is_superuser", "last_login")
    show_full_result_count = False


@admin.register(Group, site=site)
class RoleAdmin(GroupAdmin):
    show_full_result_count = False
