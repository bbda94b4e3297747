// kernel-flood: the same SYNs from a raw socket on an interface of the kernel, as fast as it takes
// them or at a set rate. Prints how many those were as one line of JSON.
#include <fmt/core.h>
#include <linux/if_packet.h>
#include <net/if.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>

#include "bench/kernel/socket.hpp"
#include "bench/syn_flood/syn_frames.hpp"

namespace handfast::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Settings {
  std::string device = "hf0";
  std::string mac;
  std::string target = "198.19.0.1:8000";
  std::string spoofed = "198.19.128.0/17";
  double rate = 2e6;
  double seconds = 5;
  int cpu = -1;
};

base::MacAddress mac_of(const std::string& text) {
  base::MacAddress mac{};
  if (std::sscanf(text.c_str(), "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3],
                  &mac[4], &mac[5]) != 6) {
    errno = EINVAL;
    fail("--mac");
  }
  return mac;
}

Descriptor raw_socket(const std::string& device) {
  // Protocol 0: it receives nothing.
  Descriptor socket(::socket(AF_PACKET, SOCK_RAW, 0));
  sockaddr_ll at{};
  at.sll_family = AF_PACKET;
  at.sll_ifindex = static_cast<int>(::if_nametoindex(device.c_str()));
  const int one = 1;
  if (socket.get() < 0 || at.sll_ifindex == 0 ||
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 ||
      ::setsockopt(socket.get(), SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one) != 0) {
    fail("a raw socket on " + device);
  }
  return socket;
}

class Burst {
 public:
  Burst(SynFrames& frames, const wire::LinkHeader& link) : frames_(frames), link_(link) {
    for (std::size_t i = 0; i < kFrames; ++i) {
      pieces_[i] = {.iov_base = bytes_[i].data(), .iov_len = 0};
      messages_[i].msg_hdr = {};
      messages_[i].msg_hdr.msg_iov = &pieces_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
    }
  }
  // Returns how many the kernel took.
  unsigned send(int fd) {
    for (std::size_t i = 0; i < kFrames; ++i) {
      base::Packet packet{.data = bytes_[i].data()};
      frames_.write(packet, link_);
      pieces_[i].iov_len = packet.length;
    }
    const int sent = ::sendmmsg(fd, messages_.data(), kFrames, 0);
    return sent < 0 ? 0 : static_cast<unsigned>(sent);
  }
  static constexpr std::size_t kFrames = 64;

 private:
  SynFrames& frames_;
  const wire::LinkHeader& link_;
  std::array<std::array<std::byte, 128>, kFrames> bytes_{};
  std::array<iovec, kFrames> pieces_{};
  std::array<mmsghdr, kFrames> messages_{};
};

nlohmann::json flood(const Settings& settings) {
  const auto spoofed = Prefix::parse(settings.spoofed);
  const auto target = Endpoint::parse(settings.target);
  if (!spoofed || !target || spoofed->network.is_v4() != target->address.is_v4()) {
    errno = EINVAL;
    fail("--spoofed or --target");
  }
  const Descriptor socket = raw_socket(settings.device);
  SynFrames frames(*spoofed, *target);
  const wire::LinkHeader link =
      wire::make_link_header(mac_of(settings.mac), {2, 0, 0, 0, 0, 1}, {},
                             target->address.is_v4() ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6);
  Burst burst(frames, link);
  const auto begin = Clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
  std::uint64_t offered = 0;
  std::uint64_t taken = 0;
  for (double time = 0; time < settings.seconds && !stop_requested(); time = seconds()) {
    if (static_cast<double>(offered) > time * settings.rate) continue;
    offered += Burst::kFrames;
    taken += burst.send(socket.get());
  }
  const double time = seconds();
  return {{"seconds", time},
          {"offered_per_second", static_cast<double>(offered) / time},
          {"taken_per_second", static_cast<double>(taken) / time}};
}

int main_of(int count, char** values) {
  CLI::App app("Sends SYNs from addresses that are nobody's.", "kernel-flood");
  Settings settings;
  app.add_option("--device", settings.device, "the interface")->capture_default_str();
  app.add_option("--mac", settings.mac, "of the target's interface")->required();
  app.add_option("--target", settings.target, "ADDRESS:PORT")->capture_default_str();
  app.add_option("--spoofed", settings.spoofed, "the range of sources")->capture_default_str();
  app.add_option("--rate", settings.rate, "SYNs a second, at most")->capture_default_str();
  app.add_option("--seconds", settings.seconds, "how long")->capture_default_str();
  app.add_option("--cpu", settings.cpu, "keep to this CPU");
  CLI11_PARSE(app, count, values);
  pin_to_cpu(settings.cpu);
  stop_on_signals();
  fmt::print("{}\n", flood(settings).dump());
  return 0;
}

}  // namespace
}  // namespace handfast::bench

int main(int count, char** values) {
  return handfast::bench::main_of(count, values);
}
