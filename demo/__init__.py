# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo stack: PostgreSQL, Valkey, nginx and a Node.js app under PM2 as real, unprivileged
processes on loopback.
"""
