#include "tests/script/runner/network.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "tests/script/language/settings.hpp"

namespace handfast::script {
namespace {

constexpr const char* kInterface = "script0";

std::unexpected<std::string> failed(std::string_view what) {
  return std::unexpected(fmt::format("{}: {}", what, std::strerror(errno)));
}

ifreq request_for(const char* interface) {
  ifreq request{};
  std::strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
  return request;
}

bool set_control(std::string_view name, std::string_view value) {
  std::ofstream file(fmt::format("/proc/sys/net/{}", name));
  file << value << std::flush;
  return file.good();
}

std::expected<void, std::string> set_controls(const Script& script) {
  const StackConfig& config = script.stack;
  const auto on = [](bool value) { return value ? "1" : "0"; };
  const int ecn = config.ecn == EcnMode::off ? 0 : config.ecn == EcnMode::offer ? 1 : 2;
  const std::pair<std::string_view, std::string> controls[] = {
      {"ipv4/tcp_timestamps", on(config.timestamps)},
      {"ipv4/tcp_sack", on(config.sack)},
      {"ipv4/tcp_window_scaling", on(config.window_scaling)},
      {"ipv4/tcp_ecn", fmt::format("{}", ecn)},
      {"ipv4/tcp_fastopen", fmt::format("{}", static_cast<int>(config.fast_open))},
      {"ipv4/tcp_congestion_control", "reno"},  // others, socket by socket
      {"ipv4/tcp_rto_min_us", fmt::format("{}", config.rto_min.count() / 1000)},
      {"ipv4/tcp_no_metrics_save", "1"},
      {"ipv4/tcp_challenge_ack_limit", "1000"},
      {"ipv4/tcp_invalid_ratelimit", "0"},
      {"ipv6/conf/all/accept_dad", "0"},
      {"ipv6/conf/default/accept_dad", "0"},
      {"ipv6/conf/default/accept_ra", "0"},
  };
  for (const auto& [name, value] : controls) {
    if (!set_control(name, value)) return failed(fmt::format("net/{} = {}", name, value));
  }
  return {};
}

std::expected<void, std::string> set_address_v4(int control, const Script& script) {
  ifreq request = request_for(kInterface);
  sockaddr_in address{.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(local_address(script.is_v6).v4_value());
  std::memcpy(&request.ifr_addr, &address, sizeof address);
  if (ioctl(control, SIOCSIFADDR, &request) != 0) return failed("SIOCSIFADDR");
  address.sin_addr.s_addr = htonl(0xffffff00);
  std::memcpy(&request.ifr_netmask, &address, sizeof address);
  if (ioctl(control, SIOCSIFNETMASK, &request) != 0) return failed("SIOCSIFNETMASK");
  return {};
}

std::expected<void, std::string> set_address_v6(const Script& script) {
  const int control = socket(AF_INET6, SOCK_DGRAM, 0);
  in6_ifreq request{};
  const auto bytes = local_address(script.is_v6).bytes();
  std::memcpy(&request.ifr6_addr, bytes.data(), bytes.size());
  request.ifr6_prefixlen = 64;
  request.ifr6_ifindex = static_cast<int>(if_nametoindex(kInterface));
  const bool is_done = ioctl(control, SIOCSIFADDR, &request) == 0;
  if (!is_done) return failed("SIOCSIFADDR of IPv6");
  close(control);
  return {};
}

std::expected<void, std::string> raise_interface(const char* interface, int control) {
  ifreq request = request_for(interface);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (ioctl(control, SIOCSIFFLAGS, &request) != 0) return failed("SIOCSIFFLAGS");
  return {};
}

std::expected<void, std::string> set_interface(const Script& script) {
  const int control = socket(AF_INET, SOCK_DGRAM, 0);
  ifreq request = request_for(kInterface);
  request.ifr_mtu = script.stack.interface.mtu;
  if (ioctl(control, SIOCSIFMTU, &request) != 0) return failed("SIOCSIFMTU");
  for (const char* interface : {"lo", kInterface}) {
    if (const auto up = raise_interface(interface, control); !up) return up;
  }
  const auto addressed = script.is_v6 ? set_address_v6(script) : set_address_v4(control, script);
  close(control);
  return addressed;
}

// The kernel brings an interface up behind the caller's back: asks until it would send from there.
bool is_ready(const Script& script) {
  constexpr int kTries = 200;
  for (int i = 0; i < kTries; ++i) {
    const int probe = socket(script.is_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
    SocketAddress from = socket_address(local_address(script.is_v6), 0);
    SocketAddress to = socket_address(peer_address(script.is_v6), 9);
    const bool is_up =
        bind(probe, from.get(), from.length) == 0 && connect(probe, to.get(), to.length) == 0;
    close(probe);
    if (is_up) return true;
    usleep(5000);
  }
  return false;
}

}  // namespace

SocketAddress socket_address(const Address& address, std::uint16_t port) {
  SocketAddress out;
  if (address.is_v4()) {
    sockaddr_in v4{.sin_family = AF_INET, .sin_port = htons(port)};
    v4.sin_addr.s_addr = htonl(address.v4_value());
    std::memcpy(&out.storage, &v4, sizeof v4);
    out.length = sizeof v4;
  } else {
    sockaddr_in6 v6{.sin6_family = AF_INET6, .sin6_port = htons(port)};
    std::memcpy(&v6.sin6_addr, address.bytes().data(), address.bytes().size());
    std::memcpy(&out.storage, &v6, sizeof v6);
    out.length = sizeof v6;
  }
  return out;
}

std::expected<int, std::string> enter_network(const Script& script) {
  if (unshare(CLONE_NEWNET) != 0) return failed("unshare");
  // First: a new interface begins with what they say.
  if (const auto set = set_controls(script); !set) return std::unexpected(set.error());
  const int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (tun < 0) return failed("/dev/net/tun");
  ifreq request = request_for(kInterface);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (ioctl(tun, TUNSETIFF, &request) != 0) return failed("TUNSETIFF");
  if (const auto set = set_interface(script); !set) return std::unexpected(set.error());
  if (!is_ready(script)) return std::unexpected("the interface did not come up");
  return tun;
}

}  // namespace handfast::script
