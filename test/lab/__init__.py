# SPDX-License-Identifier: GPL-2.0-or-later
"""A laboratory on one machine: hosts in namespaces, real MariaDB servers, real ARP on a bridge."""
