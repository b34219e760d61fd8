# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the modules of a play ahead of their tasks, so that no task waits for its own."""

from __future__ import annotations

DOCUMENTATION = r"""
name: prebuild
type: aggregate
short_description: Builds the modules of a play while its first tasks run
version_added: "0.1.0"
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
description:
  - Ansible packs a module with all that it imports when a task first uses it, which takes longer
    than most checks do. With this plugin, a second process packs the modules of this collection
    when a play starts, in the order of the play's tasks, into the cache that Ansible's own tasks
    read.
  - Changes nothing but the time a run takes. Without it, or if it fails, Ansible packs each module
    when its task starts.
requirements:
  - Enable it in C(ansible.cfg), section C(defaults), with
    C(callbacks_enabled = gpt_agent.runbook.prebuild), or with the environment variable
    C(ANSIBLE_CALLBACKS_ENABLED).
"""

import functools
import gc
import os
import signal
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from ansible import constants
from ansible.executor import module_common
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.block import Block
from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import module_loader
from ansible.template import Templar

COLLECTION = "gpt_agent.runbook."
ROLES = Path(__file__).resolve().parents[2] / "roles"


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "gpt_agent.runbook.prebuild"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._builders: list[int] = []
        self._built: set[str] = set()

    def v2_playbook_on_play_start(self, play: Any) -> None:
        names = [name for name in modules_of(play.tasks) if name not in self._built]
        if len(names) < 2:  # nothing to build ahead of
            return
        self._built.update(names)
        builder = os.fork()
        if builder:
            self._builders.append(builder)
            return
        try:
            build_all(names)
        except BaseException:  # the task that needs the module says what is wrong with it
            os._exit(1)
        os._exit(0)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        for builder in self._builders:
            os.kill(builder, signal.SIGKILL)  # ended or not, it stays ours until it is waited for
            os.waitpid(builder, 0)
        self._builders.clear()


def modules_of(tasks: Iterable[Any]) -> Iterator[str]:
    """Names of this collection's modules that tasks use, in their order."""
    found = set()
    for task in tasks:
        if isinstance(task, Block):
            names = [*modules_of([*task.block, *task.rescue, *task.always])]
        else:
            role = task._role.get_name().removeprefix(COLLECTION) if task._role else ""
            names = [task.resolved_action or "", *included(task.action, task.args, role)]
        for name in names:
            if name.startswith(COLLECTION) and name not in found:
                found.add(name)
                yield name


def included(action: str, arguments: Any, role: str) -> Iterator[str]:
    """Modules that an include leads to, which Ansible reads only when it gets there.

    ``role`` is the role that the include is in. Names that are templates are not known yet.
    """
    kind = action.rpartition(".")[2]
    given = arguments if isinstance(arguments, Mapping) else {"_raw_params": arguments}
    if kind in ("include_role", "import_role"):
        role = str(given.get("name", "")).removeprefix(COLLECTION)
        file = f"{given.get('tasks_from', 'main')}.yml"
    elif kind in ("include_tasks", "import_tasks"):
        file = str(given.get("file") or given.get("_raw_params"))
    else:
        return
    with suppress(OSError, yaml.YAMLError):
        text = (ROLES / role / "tasks" / file).read_text(encoding="utf-8")
        yield from _written(yaml.safe_load(text), role)


def _written(tasks: Any, role: str) -> Iterator[str]:
    """Modules in the text of tasks."""
    for task in tasks or ():
        for key, value in task.items():
            if key in ("block", "rescue", "always"):
                yield from _written(value, role)
            elif key.startswith(COLLECTION):
                yield key
            else:
                yield from included(key, value, role)


def build_all(names: Iterable[str]) -> None:
    """Build modules in a process of their own: this changes how it works."""
    gc.disable()  # the process ends before it needs memory back
    # To find what a module imports, Ansible parses it and every file that is found. Modules share
    # most of these files, and each is parsed once: this global hides the builtin from Ansible.
    vars(module_common)["compile"] = functools.cache(compile)
    for name in names:
        build(name)


def build(name: str) -> None:
    """Build a module into Ansible's cache, which has a lock for each module."""
    module = module_loader.find_plugin_with_context(name)
    if not module.resolved:  # an action plugin without a module
        return
    module_common.modify_module(
        module_name=name,
        module_path=module.plugin_resolved_path,
        module_args={},
        templar=Templar(loader=DataLoader()),
        module_compression=constants.config.get_config_value("DEFAULT_MODULE_COMPRESSION"),
        # The interpreter is a part of the command, not of what is cached.
        task_vars={"ansible_python_interpreter": "/usr/bin/python3"},
    )
