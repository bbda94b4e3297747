// Initial sequence numbers: RFC 9293 MUST-8, MUST-9 and SHLD-1, RFC 6528 section 3.

#include "tcp/isn.hpp"

#include <gtest/gtest.h>

#include <set>

namespace handfast::tcp {
namespace {

using namespace std::chrono_literals;

constexpr base::SipKey kIssKey = {1, 2};
constexpr Instant kStart = Instant::from_ns(0);

base::FlowKey flow(std::uint16_t local_port, bool is_v4 = true) {
  const auto address = [is_v4](std::uint8_t last) {
    if (is_v4) return Address::v4(0xc6120000U + last);
    return Address::from_bytes({0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last});
  };
  return {.local = address(1), .remote = address(2), .local_port = local_port, .remote_port = 80};
}

TEST(InitialSequenceNumber, IsDrivenByAClockOfFourMicroseconds) {
  for (const bool is_v4 : {true, false}) {
    const base::FlowKey key = flow(1024, is_v4);
    const base::Seq first = initial_sequence_number(key, kIssKey, kStart);
    EXPECT_EQ(initial_sequence_number(key, kIssKey, kStart + 3999ns) - first, 0U);
    EXPECT_EQ(initial_sequence_number(key, kIssKey, kStart + 4us) - first, 1U);
    EXPECT_EQ(initial_sequence_number(key, kIssKey, kStart + 1s) - first, 250'000U);
    // Once round in 4.77 hours.
    EXPECT_EQ(initial_sequence_number(key, kIssKey, kStart + (1LL << 32) * 4us) - first, 0U);
  }
}

// What one connection's number tells says nothing of another's: all parts of the key and of the
// secret matter.
TEST(InitialSequenceNumber, DiffersBetweenConnectionsAndSecrets) {
  for (const bool is_v4 : {true, false}) {
    std::set<std::uint32_t> seen;
    base::FlowKey key = flow(1024, is_v4);
    const auto note = [&seen](const base::FlowKey& of, const base::SipKey& secret) {
      seen.insert(initial_sequence_number(of, secret, kStart).raw());
    };
    note(key, kIssKey);
    note(key, {1, 3});
    note(key, {2, 2});
    std::swap(key.local, key.remote);
    note(key, kIssKey);
    key.remote_port = 81;
    note(key, kIssKey);
    for (std::uint16_t port = 2000; port < 3000; ++port) note(flow(port, is_v4), kIssKey);
    EXPECT_EQ(seen.size(), 1005U);
  }
}

}  // namespace
}  // namespace handfast::tcp
