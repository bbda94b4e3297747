// Two whole stacks with a smaller path between them: one whose router says so, and one that
// swallows large packets without a word.

#include "two_hosts.hpp"

namespace handfast::stack {
namespace {

constexpr std::size_t kEthernet = 14;
constexpr std::uint16_t kSmallerMtu = 1200;

bool is_tcp(Bytes frame) {
  return frame.size() > kEthernet + 9 && frame[12] == std::byte{8} &&
         frame[kEthernet + 9] == std::byte{6};
}

// Destination Unreachable, Fragmentation Needed (RFC 1191 section 4), from the receiver's address:
// a router of its own would need one.
Frame too_big(Bytes frame, std::uint16_t mtu) {
  constexpr std::size_t kIpHeader = 20;
  constexpr std::size_t kQuoted = kIpHeader + 8;
  Frame answer(kEthernet + kIpHeader + 8 + kQuoted);
  const auto put16 = [&answer](std::size_t at, std::size_t value) {
    answer[at] = static_cast<std::byte>(value >> 8);
    answer[at + 1] = static_cast<std::byte>(value);
  };
  const auto checksum = [&answer](std::size_t from, std::size_t to) {
    std::uint32_t sum = 0;
    for (std::size_t i = from; i < to; i += 2) {
      sum += static_cast<std::uint32_t>(answer[i]) << 8 | static_cast<std::uint32_t>(answer[i + 1]);
    }
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
  };
  std::copy_n(frame.begin() + 6, 6, answer.begin());
  put16(12, 0x0800);
  const std::size_t ip = kEthernet;
  put16(ip, 0x4500);
  put16(ip + 2, answer.size() - kEthernet);
  put16(ip + 8, 0x4001);  // ICMP
  std::copy_n(frame.begin() + ip + 16, 4, answer.begin() + ip + 12);
  std::copy_n(frame.begin() + ip + 12, 4, answer.begin() + ip + 16);
  put16(ip + 10, checksum(ip, ip + kIpHeader));
  const std::size_t icmp = ip + kIpHeader;
  put16(icmp, 0x0304);
  put16(icmp + 6, mtu);
  std::copy_n(frame.begin() + ip, kQuoted, answer.begin() + icmp + 8);
  put16(icmp + 2, checksum(icmp, answer.size()));
  return answer;
}

TEST(PathMtu, ARouterThatSaysSoCostsOneRoundTrip) {
  TwoHosts hosts;
  (void)hosts.connect();
  ASSERT_TRUE(wait_open(hosts));
  std::vector<Frame> refused;
  hosts.world.link().set_filter([&refused](Instant, Bytes frame) {
    if (!is_tcp(frame) || frame.size() <= kEthernet + kSmallerMtu) return false;
    refused.emplace_back(frame.begin(), frame.end());
    return true;
  });
  const std::string text(60'000, 'x');
  const Instant start = hosts.world.now();
  ASSERT_EQ(hosts.client.last.send(bytes_of(text)).value(), text.size());
  const std::uint32_t cwnd = hosts.client.last.info()->snd_cwnd;
  while (hosts.server.received.size() < text.size() && hosts.world.now() - start < 1min) {
    hosts.world.run_for(1ms);
    for (const Frame& frame : std::exchange(refused, {})) {
      hosts.replay(too_big(frame, kSmallerMtu));
    }
  }
  EXPECT_EQ(hosts.server.received, text);
  EXPECT_LT(hosts.world.now() - start, 150ms);  // no time-out was waited for
  EXPECT_EQ(hosts.client_counters().path_mtu_lowered, 1U);
  EXPECT_EQ(hosts.client_counters().retransmission_timeouts, 0U);
  EXPECT_EQ(hosts.client.last.info()->pmtu, kSmallerMtu);
  EXPECT_GE(hosts.client.last.info()->snd_cwnd, cwnd);
}

// RFC 1191 section 6.3, RFC 8201 section 5.3: what one connection was told holds for the next ones
// to the same host, for ten minutes.
TEST(PathMtu, ALaterConnectionStartsFromWhatWasTold) {
  TwoHosts hosts;
  (void)hosts.connect();
  ASSERT_TRUE(wait_open(hosts));
  std::vector<Frame> refused;
  std::size_t refusals = 0;
  hosts.world.link().set_filter([&](Instant, Bytes frame) {
    if (!is_tcp(frame) || frame.size() <= kEthernet + kSmallerMtu) return false;
    refused.emplace_back(frame.begin(), frame.end());
    ++refusals;
    return true;
  });
  const std::string text(20'000, 'x');
  const auto transfer = [&] {
    hosts.server.received.clear();
    ASSERT_EQ(hosts.client.last.send(bytes_of(text)).value(), text.size());
    while (hosts.server.received.size() < text.size()) {
      hosts.world.run_for(1ms);
      for (const Frame& frame : std::exchange(refused, {})) {
        hosts.replay(too_big(frame, kSmallerMtu));
      }
    }
  };
  transfer();
  ASSERT_EQ(hosts.client_counters().path_mtu_lowered, 1U);
  const std::size_t refused_at_first = refusals;
  (void)hosts.connect();
  hosts.world.run_for(10ms);
  EXPECT_EQ(hosts.client.last.info()->pmtu, kSmallerMtu);
  transfer();
  EXPECT_EQ(refusals, refused_at_first);
  EXPECT_EQ(hosts.client_counters().path_mtu_lowered, 1U);
  // It is forgotten again, by the connection that started from it as well.
  hosts.world.run_for(11min);
  (void)hosts.connect();
  hosts.world.run_for(10ms);
  EXPECT_EQ(hosts.client.last.info()->pmtu, 1500U);
}

TEST(PathMtu, ABlackHoleIsFoundAndPassed) {
  TwoHosts hosts;
  (void)hosts.connect();
  ASSERT_TRUE(wait_open(hosts));
  hosts.world.link().set_filter(
      [](Instant, Bytes frame) { return is_tcp(frame) && frame.size() > kEthernet + kSmallerMtu; });
  const std::string text(60'000, 'x');
  ASSERT_EQ(hosts.client.last.send(bytes_of(text)).value(), text.size());
  const Instant start = hosts.world.now();
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.server.received == text; }, 1min));
  EXPECT_LT(hosts.world.now() - start, 5s);
  EXPECT_EQ(hosts.client_counters().path_mtu_black_holes, 1U);
  EXPECT_LE(hosts.client.last.info()->pmtu, kSmallerMtu);
  // What comes next costs nothing any more.
  hosts.world.run_for(1min);
  const std::uint64_t timeouts = hosts.client_counters().retransmission_timeouts;
  hosts.server.received.clear();
  ASSERT_EQ(hosts.client.last.send(bytes_of(text)).value(), text.size());
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.server.received == text; }, 1min));
  EXPECT_EQ(hosts.client_counters().retransmission_timeouts, timeouts);
}

}  // namespace
}  // namespace handfast::stack
