"""What attempts are counted by."""

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from permissions.viewer import network

IPV4 = st.ip_addresses(v=4).map(str)


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::FFFF:cb00:7107", "203.0.113.7"),
        ("64:ff9b::203.0.113.7", "203.0.113.7"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("2001:0DB8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", ""),
        ("testclient", "testclient"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_an_ipv6_address_counts_by_its_first_64_bits(host: str, counted: str) -> None:
    assert network(host) == counted


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_two_ipv6_addresses_count_as_one_only_if_they_share_64_bits(prefix: int, one: int, other: int) -> None:
    prefix |= 1 << 61  # 2000::/3, which public addresses come from
    first, second = (str(IPv6Address(prefix << 64 | interface)) for interface in (one, other))
    assert network(first) == network(second)
    assert network(first) != network(str(IPv6Address((prefix ^ 1) << 64 | one)))


@given(IPV4)
def test_an_ipv4_address_counts_as_itself_however_it_is_written(host: str) -> None:
    for written in (host, f"::ffff:{host}", IPv6Address(f"::ffff:{host}").exploded, f"64:ff9b::{host}"):
        assert network(written) == host


@given(st.text(max_size=20))
def test_anything_that_a_server_takes_for_an_address_is_counted(host: str) -> None:
    assert isinstance(network(host), str)
