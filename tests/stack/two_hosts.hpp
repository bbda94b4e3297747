// TwoHosts: a client and a server in virtual time, with handlers that do what a test scripts and
// note what they are told. Frames can be dropped by number and old ones put on the wire again.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "tests/sim/world.hpp"

namespace handfast::stack {

using namespace std::chrono_literals;

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span{text});
}

// Notes every event and then does what the test wants done.
struct Party {
  void on_open(Connection connection) {
    last = connection;
    ++opened;
    if (at_open) at_open(connection);
  }
  std::size_t on_data(Connection connection, Bytes data) {
    const std::size_t take = at_data ? at_data(connection, data) : data.size();
    received.append(reinterpret_cast<const char*>(data.data()), take);
    return take;
  }
  void on_writable(Connection connection) {
    ++writable;
    if (at_writable) at_writable(connection);
  }
  void on_peer_finished(Connection connection) {
    ++peer_finished;
    if (at_peer_finished) {
      at_peer_finished(connection);
    } else {
      (void)connection.close();
    }
  }
  void on_timer(Connection connection) {
    ++timers;
    if (at_timer) at_timer(connection);
  }
  void on_closed(Connection connection, CloseReason reason) {
    closed.push_back(reason);
    if (at_closed) at_closed(connection, reason);
  }

  std::function<void(Connection)> at_open;
  std::function<std::size_t(Connection, Bytes)> at_data;
  std::function<void(Connection)> at_writable;
  std::function<void(Connection)> at_peer_finished;
  std::function<void(Connection)> at_timer;
  std::function<void(Connection, CloseReason)> at_closed;
  Connection last;
  int opened = 0;
  int peer_finished = 0;
  int writable = 0;
  int timers = 0;
  std::string received;
  std::vector<CloseReason> closed;
};

using Frame = std::vector<std::byte>;

enum class Family { ipv4, ipv6 };

// For the names of tests that run over both.
inline std::string name_of(const testing::TestParamInfo<Family>& info) {
  return info.param == Family::ipv4 ? "ipv4" : "ipv6";
}

// Where TCP begins in a captured frame without VLAN tag, IP options or extension headers; 0 when it
// is no TCP segment.
inline std::size_t tcp_at(Bytes frame) {
  constexpr std::size_t kLink = 14;
  constexpr std::size_t kIpv4 = 20;
  constexpr std::size_t kIpv6 = 40;
  constexpr std::byte kTcp{6};
  if (frame.size() < kLink + kIpv4 + 20) return 0;
  if (frame[12] == std::byte{0x08} && frame[13] == std::byte{0x00}) {
    return frame[kLink + 9] == kTcp ? kLink + kIpv4 : 0;
  }
  const bool is_ipv6 = frame[12] == std::byte{0x86} && frame[13] == std::byte{0xdd} &&
                       frame.size() >= kLink + kIpv6 + 20;
  return is_ipv6 && frame[kLink + 6] == kTcp ? kLink + kIpv6 : 0;
}

class TwoHosts {
 public:
  using Configure = std::function<void(StackConfig&)>;

  using ConfigureHost = std::function<void(sim::HostConfig&)>;

  explicit TwoHosts(const Configure& configure = {}, Family family = Family::ipv4,
                    const ConfigureHost& configure_host = {})
      : client_end(family == Family::ipv4 ? kClient : kClient6),
        server_end(family == Family::ipv4 ? kServer : kServer6),
        client_host(world.add_host(host_at(client_end.address, 1, configure, configure_host))),
        server_host(world.add_host(host_at(server_end.address, 2, configure, configure_host))) {
    EXPECT_TRUE(server_worker().listen(server_end, server).has_value());
    // Both learn each other's MAC address: the first frame a test sees is a TCP segment.
    world.run_for(1s);
    ping_pong_once();
    world.link().set_filter([this](Instant, Bytes frame) { return sees(frame); });
  }

  Worker& client_worker() { return world.worker(client_host); }
  Worker& server_worker() { return world.worker(server_host); }
  Counters client_counters() { return client_worker().counters(); }
  Counters server_counters() { return server_worker().counters(); }
  Connection connect(std::uint16_t source_port = 0) {
    const auto connection =
        client_worker().connect(server_end, client, {.source_port = source_port});
    EXPECT_TRUE(connection.has_value());
    return connection.value_or(Connection{});
  }
  bool both_closed(std::size_t times = 1) const {
    return client.closed.size() >= times && server.closed.size() >= times;
  }
  // No record of any kind is left, and no packet is missing.
  void expect_nothing_left() {
    for (Worker* worker : {&client_worker(), &server_worker()}) {
      EXPECT_EQ(worker->open_count(), 0U);
      EXPECT_EQ(worker->half_open_count(), 0U);
      EXPECT_EQ(worker->time_wait_count(), 0U);
    }
    EXPECT_EQ(world.shut_down(), 0U);
  }
  // Puts a frame on the wire from a third port, under its own MAC address: the segment's switch
  // learns where addresses are.
  void replay(const Frame& frame) {
    base::Packet packet;
    ASSERT_EQ(stranger_pool_.allocate({&packet, 1}), 1U);
    std::copy(frame.begin(), frame.end(), packet.data);
    std::memcpy(packet.data + kSourceMacAt, kStrangerMac.data(), kStrangerMac.size());
    packet.length = static_cast<std::uint32_t>(frame.size());
    stranger_.send(world.now(), {&packet, 1});
  }

  static constexpr Endpoint kClient{Address::v4(0xc6120001), 5000};
  static constexpr Endpoint kServer{Address::v4(0xc6120002), 80};
  // 2001:db8::1 and 2001:db8::2.
  static constexpr Endpoint kClient6{
      Address::from_bytes({0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}), 5000};
  static constexpr Endpoint kServer6{
      Address::from_bytes({0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}), 80};

  Party client;
  Party server;
  Endpoint client_end;
  Endpoint server_end;
  sim::World world{{.latency = 1ms}};
  std::size_t client_host;
  std::size_t server_host;
  std::vector<Frame> frames;         // all TCP segments since the start of the test, dropped or not
  std::vector<std::size_t> to_drop;  // by place in `frames`

 private:
  static sim::HostConfig host_at(const Address& address, std::uint64_t seed,
                                 const Configure& configure, const ConfigureHost& configure_host) {
    sim::HostConfig host{.seed = seed, .packets = 1024};
    host.stack.interface.addresses = {
        {address, address.is_v4() ? std::uint8_t{24} : std::uint8_t{64}}};
    host.stack.max_connections = 16;
    host.stack.max_half_open = 16;
    host.stack.max_time_wait = 64;
    if (configure) configure(host.stack);
    if (configure_host) configure_host(host);
    return host;
  }
  void ping_pong_once() {
    Party nobody;
    const auto probe = client_worker().connect({server_end.address, 9}, nobody);
    EXPECT_TRUE(probe.has_value());
    EXPECT_TRUE(world.run_until([&] { return !nobody.closed.empty(); }, 10s));
    EXPECT_EQ(nobody.closed, std::vector{CloseReason::refused});
  }
  // True: drop it.
  bool sees(Bytes frame) {
    if (tcp_at(frame) == 0) return false;
    frames.emplace_back(frame.begin(), frame.end());
    const std::size_t place = frames.size() - 1;
    return std::find(to_drop.begin(), to_drop.end(), place) != to_drop.end();
  }

  static constexpr std::size_t kSourceMacAt = 6;
  static constexpr base::MacAddress kStrangerMac{2, 0, 0, 0, 0, 0x99};
  drivers::SimPool stranger_pool_{16};
  drivers::LinkPort& stranger_ = world.link().add_port(stranger_pool_, {.mac = kStrangerMac});
};

inline bool wait_open(TwoHosts& hosts) {
  return hosts.world.run_until([&] { return hosts.client.opened == 1 && hosts.server.opened == 1; },
                               1min);
}

inline base::Segment syn() {
  base::Segment segment;
  segment.seq = base::Seq{1000};
  segment.flags = base::kSyn;
  segment.window = 1000;
  return segment;
}

// The TCP flags of a captured segment.
inline std::uint8_t flags_of(const Frame& frame) {
  return static_cast<std::uint8_t>(frame[tcp_at(frame) + 13]);
}

}  // namespace handfast::stack
