# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only images and compose files can be judged by."""

from __future__ import annotations

from ...core.check import OK, WARNING, Check
from ...core.errors import NotCollected
from ...core.thresholds import Thresholds
from ..options import Options
from .choose import Chosen, Here
from .image import Image
from .project import Project


def own_guards(
    project: Project,
    options: Options,
    here: Here,
    chosen: Chosen,
    image: Image | None,
    thresholds: Thresholds,
) -> list[Check]:
    """None of them forbids the switch."""
    has_one = here.config.has_health_check(project.services[0])
    if has_one is None and image:
        has_one = image.has_health_check
    return [
        _tag(chosen, thresholds),
        _files(project, here, thresholds),
        _health_check(has_one, options, thresholds),
    ]


def _tag(chosen: Chosen, thresholds: Thresholds) -> Check:
    name, subject = "release.tag", chosen.release.version
    if chosen.moved:
        text = f"the tag has moved: {chosen.moved}"
        return thresholds.verdict(name, WARNING, text, subject=subject)
    if chosen.silent:
        text = f"{chosen.release.id} is used as it is on this host"
        return thresholds.not_judged(name, text, chosen.silent, subject=subject)
    return thresholds.verdict(name, OK, f"it means {chosen.release.id}", subject=subject)


def _files(project: Project, here: Here, thresholds: Thresholds) -> Check:
    name, subject = "release.configuration", project.folder
    try:
        hashes = project.hashes()
    except NotCollected as problem:
        return thresholds.not_judged(name, "not compared", str(problem), subject=subject)
    changed = sorted(
        {one.service for one in here.containers if hashes.get(one.service) != one.config_hash}
    )
    if changed:
        text = (
            f"the files say something else of {', '.join(changed)} than when its container was "
            "made; the switch applies that, too"
        )
        return thresholds.verdict(name, WARNING, text, subject=subject)
    text = "no change since the containers were made"
    return thresholds.verdict(name, OK, text, subject=subject)


def _health_check(has_one: bool | None, options: Options, thresholds: Thresholds) -> Check:
    name, subject = "release.health_check", options.name
    if has_one is None:
        reason = "its image is not on this host yet"
        return thresholds.not_judged(name, "no health check known", reason, subject=subject)
    if has_one:
        return thresholds.verdict(name, OK, "Docker checks the app's health", subject=subject)
    text = "neither the image nor the compose file has a health check"
    if options.health_urls:
        text += "; health_urls are asked instead"
    return thresholds.verdict(name, WARNING, text, subject=subject)
