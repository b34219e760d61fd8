# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of app_diagnosis and app_profile: meaning, thresholds and remedy."""

from __future__ import annotations

from ...core.definition import METRICS, Definition, above, below

CHECKS: dict[str, Definition] = {
    "app.cpu": Definition(
        "Processor time of the busiest instance in the window, in percent of one processor.",
        "Take a CPU profile (playbooks/app_diagnosis.yml with -e app_profile_cpu=true), optimize "
        "the slow endpoints and queries that it shows, or scale up.",
        "percent",
        above(80, None),
        f"{METRICS} (CPU Usage)",
    ),
    "app.event_loop": Definition(
        "Delay of the event loop as the app reports it to PM2 (95th percentile), of the slowest "
        "instance. Critical at once if an instance computed for the whole window and read nothing "
        "from any connection. Unknown if it read nothing and reported nothing, as it may be stuck.",
        "Take a CPU profile (playbooks/app_diagnosis.yml with -e app_profile_cpu=true): it names "
        "the functions that keep the event loop busy.",
        "seconds",
        above(0.1, 1),
        "every request waits for as long as the event loop does",
    ),
    "app.memory_growth": Definition(
        "Time until the instance that grows fastest reaches its limit, if it goes on as in the "
        "window; none if no instance grows steadily.",
        "Take a heap snapshot before the restart, while the leak is in memory "
        "(playbooks/app_diagnosis.yml with -e app_profile_heap=true).",
        "seconds",
        below(86400, 3600),
        "a day is enough to find a leak in office hours, an hour is not",
    ),
    "app.open_files": Definition(
        "Open files and sockets of the instance that is closest to its limit, in percent of it.",
        "Find what is opened and not closed: the evidence counts the open files by kind and the "
        "connections by peer.",
        "percent",
        above(80, 95),
        "at the limit the app can neither accept nor open a connection",
    ),
    "app.database": Definition(
        "The longest time in the window for which a connection of the app waited for the "
        "database's answer.",
        "Find the statement: playbooks/database_review.yml lists the slow ones, and who blocks "
        "whom.",
        "seconds",
        above(1, 10),
        "a request with one such statement misses the runbook's limit of the response time",
    ),
    "app.pool": Definition(
        "Messages in the app's logs that say that no connection to the database was free in time.",
        "Find out whether the connections are in use or were not returned: the evidence shows for "
        "how long each has been silent.",
        "count",
        above(0, None),
        "each is a failed request",
    ),
    "app.log_signs": Definition(
        "Messages in the app's logs that point to a leak or to endless recursion, such as heap out "
        "of memory.",
        "Read the messages in the evidence, and compare their first appearance with the last "
        "deployment.",
        "count",
        above(0, None),
        "none belongs to a healthy app",
    ),
    "app.profile": Definition(
        "What an instance spent its processor time on while it was profiled, in percent of the "
        "time.",
        "Open the profile in Chrome DevTools (Performance, Load profile), and start with the "
        "function in the evidence that took most of the time.",
        "percent",
    ),
    "app.heap": Definition(
        "Live objects on the JavaScript heap, in percent of its limit.",
        "Take a heap snapshot, fix the leak; raise --max-old-space-size only if the data is "
        "needed.",
        "percent",
        above(80, 90),
        "close to its limit V8 collects garbage without end, then ends the process",
    ),
    "app.inspector": Definition(
        "The inspector of every instance is closed: whoever connects to it controls the app.",
        "Restart the instance; until then every user of this host can connect to the inspector.",
    ),
}
