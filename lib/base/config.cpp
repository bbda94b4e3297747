#include "handfast/config.hpp"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

namespace handfast {
namespace {

// RFC 7323 section 2.3: the largest window that scaling can express.
constexpr std::uint64_t kBufferBytesMax = std::uint64_t{1} << 30;
// The timer wheel's reach, as promised for Connection::set_timer.
constexpr Duration kTimerMax = std::chrono::hours(24);
constexpr Duration kShortest = Duration(1);
// Below it a time-out is no longer told from the clock's grain of 65.536 us.
constexpr Duration kRtoShortest = std::chrono::microseconds(100);
// RFC 9293 section 3.8.6.3 (MUST-40).
constexpr Duration kAckDelayMax = std::chrono::milliseconds(500);
// A connection keeps its keep-alive time as 16 bits of seconds.
constexpr Duration kKeepAliveMax = std::chrono::seconds(65'535);

// RFC 1122 section 3.2.1.3: what no host may have as its address.
bool can_be_a_host(const Address& address) {
  return !address.is_unspecified() && !address.is_multicast() && !address.is_limited_broadcast() &&
         !address.is_loopback();
}

// Keeps the first sentence about a wrong setting; later ones are often only its consequence.
class Verdict {
 public:
  void require(bool right, std::string_view setting, std::string_view value,
               std::string_view must_be) {
    if (right || !result_) return;
    std::string sentence{setting};
    sentence += " is ";
    sentence += value;
    sentence += ", but must be ";
    sentence += must_be;
    result_ = std::unexpected(std::move(sentence));
  }
  void require_range(std::string_view setting, std::uint64_t value, std::uint64_t min,
                     std::uint64_t max) {
    require(value >= min && value <= max, setting, std::to_string(value),
            std::to_string(min) + " to " + std::to_string(max));
  }
  void require_range(std::string_view setting, Duration value, Duration min, Duration max) {
    require(value >= min && value <= max, setting, std::to_string(value.count()) + " ns",
            std::to_string(min.count()) + " to " + std::to_string(max.count()) + " ns");
  }
  void require_prefix(std::string_view setting, const Prefix& prefix) {
    const bool is_v4 = prefix.network.is_v4();
    require(prefix.length <= (is_v4 ? 32 : 128), setting, prefix.to_string(),
            is_v4 ? "at most 32 bits long" : "at most 128 bits long");
  }
  void require_host(std::string_view setting, const Address& address) {
    require(can_be_a_host(address), setting, address.to_string(),
            "a unicast address that a host can have");
  }
  bool is_good() const { return result_.has_value(); }
  std::expected<void, std::string> result() const { return result_; }

 private:
  std::expected<void, std::string> result_;
};

// In networks of 31 and 32 bits every address is a host's (RFC 3021).
void check_addresses(const InterfaceConfig& interface, Verdict& verdict) {
  constexpr std::string_view kSetting = "interface.addresses";
  verdict.require(!interface.addresses.empty(), kSetting, "empty",
                  "at least one, like 198.18.0.1/15");
  for (const Prefix& own : interface.addresses) {
    verdict.require_prefix(kSetting, own);
    verdict.require_host(kSetting, own.network);
    if (!verdict.is_good()) return;
    if (!own.network.is_v4()) continue;
    verdict.require(own.length >= 31 || own.network != own.nth(own.size() - 1), kSetting,
                    own.to_string(), "other than its network's broadcast address");
  }
}

void check_owned_ranges(const InterfaceConfig& interface, Verdict& verdict) {
  constexpr std::string_view kSetting = "interface.owned_ranges";
  for (const Prefix& range : interface.owned_ranges) {
    verdict.require_prefix(kSetting, range);
    if (!verdict.is_good()) return;
    verdict.require(can_be_a_host(range.nth(0)) && can_be_a_host(range.nth(range.size() - 1)),
                    kSetting, range.to_string(), "a range of unicast addresses only");
  }
}

void check_gateway(const InterfaceConfig& interface, std::string_view setting,
                   const Address& gateway, Verdict& verdict) {
  verdict.require_host(setting, gateway);
  const auto is_neighbour = [&](const Prefix& own) {
    // An interface with an IPv6 address has a link-local one too.
    const bool is_on_link =
        own.contains(gateway) || (!own.network.is_v4() && gateway.is_link_local());
    return is_on_link && own.network != gateway;
  };
  verdict.require(std::ranges::any_of(interface.addresses, is_neighbour), setting,
                  gateway.to_string(), "another host in the network of one of interface.addresses");
}

void check_default_gateways(const InterfaceConfig& interface, Verdict& verdict) {
  if (interface.gateway) {
    verdict.require(interface.gateway->is_v4(), "interface.gateway", interface.gateway->to_string(),
                    "IPv4: interface.gateway6 is for IPv6");
    check_gateway(interface, "interface.gateway", *interface.gateway, verdict);
  }
  if (interface.gateway6) {
    verdict.require(!interface.gateway6->is_v4(), "interface.gateway6",
                    interface.gateway6->to_string(), "IPv6: interface.gateway is for IPv4");
    check_gateway(interface, "interface.gateway6", *interface.gateway6, verdict);
    verdict.require(!interface.router_advertisements, "interface.router_advertisements", "on",
                    "off with interface.gateway6: routers would name another");
  }
}

void check_interface(const InterfaceConfig& interface, Verdict& verdict) {
  check_addresses(interface, verdict);
  check_owned_ranges(interface, verdict);
  for (const Route& route : interface.routes) {
    verdict.require_prefix("interface.routes", route.destination);
    verdict.require(route.destination.network.is_v4() == route.gateway.is_v4(),
                    "the gateway of a route in interface.routes", route.gateway.to_string(),
                    "of the same IP version as " + route.destination.to_string());
    check_gateway(interface, "the gateway of a route in interface.routes", route.gateway, verdict);
  }
  check_default_gateways(interface, verdict);
  // Every host takes packets of 576 bytes (RFC 791 section 3.1), and every link of IPv6 packets of
  // 1280 (RFC 8200 section 5).
  const auto is_ipv6 = [](const Prefix& prefix) { return !prefix.network.is_v4(); };
  const bool speaks_ipv6 = std::ranges::any_of(interface.addresses, is_ipv6) ||
                           std::ranges::any_of(interface.owned_ranges, is_ipv6);
  verdict.require_range("interface.mtu", interface.mtu, speaks_ipv6 ? 1280 : 576, 9000);
  if (interface.vlan) verdict.require_range("interface.vlan", *interface.vlan, 1, 4094);
  verdict.require_range("interface.hop_limit", interface.hop_limit, 1, 255);
  verdict.require_range("interface.dscp", interface.dscp, 0, 63);
}

void check_times(const StackConfig& config, Verdict& verdict) {
  verdict.require_range("msl", config.msl, kShortest, kTimerMax / 2);
  verdict.require_range("rto_max", config.rto_max, kRtoShortest, kTimerMax);
  verdict.require_range("rto_min", config.rto_min, kRtoShortest, config.rto_max);
  verdict.require_range("rto_initial", config.rto_initial, config.rto_min, config.rto_max);
  verdict.require_range("syn_timeout", config.syn_timeout, kShortest, kTimerMax);
  verdict.require_range("user_timeout", config.user_timeout, kShortest, kTimerMax);
  verdict.require_range("delayed_ack", config.delayed_ack, Duration(0), kAckDelayMax);
}

void check_keep_alive(const StackConfig& config, Verdict& verdict) {
  verdict.require_range("keep_alive", config.keep_alive, Duration(0), kKeepAliveMax);
  verdict.require_range("keep_alive_interval", config.keep_alive_interval,
                        std::chrono::milliseconds(1), kTimerMax);
  // MUST-29: one probe without an answer says nothing.
  verdict.require_range("keep_alive_probes", config.keep_alive_probes, 2, 255);
}

void check_buffers(const StackConfig& config, Verdict& verdict) {
  verdict.require_range("send_buffer", config.send_buffer, 1, kBufferBytesMax);
  verdict.require_range("receive_buffer", config.receive_buffer, 1, kBufferBytesMax);
  verdict.require_range("send_buffer_max", config.send_buffer_max, 1, kBufferBytesMax);
  verdict.require_range("receive_buffer_max", config.receive_buffer_max, 1, kBufferBytesMax);
}

}  // namespace

std::expected<void, std::string> StackConfig::check() const {
  constexpr std::uint64_t kRecordsMax = std::uint64_t{1} << 31;
  Verdict verdict;
  check_interface(interface, verdict);
  verdict.require_range("max_connections", max_connections, 1, kRecordsMax);
  verdict.require_range("max_half_open", max_half_open, 1, kRecordsMax);
  verdict.require_range("max_half_open_per_listener", max_half_open_per_listener, 1, kRecordsMax);
  verdict.require_range("max_time_wait", max_time_wait, 1, kRecordsMax);
  verdict.require_range("prefault_time_wait", prefault_time_wait, 0, max_time_wait);
  verdict.require_range("max_fast_open", max_fast_open, 1, kRecordsMax);
  check_times(*this, verdict);
  check_keep_alive(*this, verdict);
  check_buffers(*this, verdict);
  verdict.require_range("last_port", last_port, 1, 65'535);
  verdict.require_range("first_port", first_port, 1, last_port);
  return verdict.result();
}

std::expected<void, std::string> ConnectionOptions::check() const {
  Verdict verdict;
  if (keep_alive) verdict.require_range("keep_alive", *keep_alive, Duration(0), kKeepAliveMax);
  if (user_timeout) verdict.require_range("user_timeout", *user_timeout, kShortest, kTimerMax);
  if (dscp) verdict.require_range("dscp", *dscp, 0, 63);
  return verdict.result();
}

}  // namespace handfast
