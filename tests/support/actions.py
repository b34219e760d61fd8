"""Action plugins without a host: a task, its variables, and what its module would return."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

MODULE_RESULT = {"changed": True, "proven": True}


class HostVars(dict[str, Any]):
    """The variables of all hosts, as an action plugin gets them."""

    def raw_get(self, host: str) -> Any:
        return self[host]


class Action:
    """One action plugin, whose module only notes that it ran."""

    def __init__(
        self, plugin: Any, arguments: dict[str, Any], check_mode: bool = False, register: str = ""
    ) -> None:
        # With a progress file of its own, a task runs in the foreground.
        self.task = SimpleNamespace(
            args={"progress_file": "progress", **arguments},
            check_mode=check_mode,
            async_val=0,
            register=register,
        )
        self.times = 0
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="tmp"))
        self._plugin = plugin(self.task, connection, None, None, None)
        self._plugin._execute_module = self._execute_module

    def run(self, hosts: dict[str, Any], host: str = "app1") -> dict[str, Any]:
        """Run the task once, on one of the hosts."""
        variables = {"hostvars": HostVars(hosts), "inventory_hostname": host}
        result: dict[str, Any] = self._plugin.run(None, variables)
        return result

    def _execute_module(self, **arguments: Any) -> dict[str, Any]:
        self.times += 1
        return dict(MODULE_RESULT)
