#include "apps/wire/options.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "apps/options/transport.hpp"
#include "apps/wire/weather.hpp"

namespace handfast::emulator {
namespace {

constexpr std::uint64_t kHeldMin = 64;
constexpr std::uint64_t kHeldDefault = 32'768;
constexpr std::uint64_t kHeldMax = 1 << 21;  // of 2 KiB each, in either direction
constexpr unsigned kMtuMin = 68;             // RFC 791
constexpr unsigned kMtuMax = 9600;

template <class Number>
apps::Parsed<Number> parse_between(std::string_view text, std::uint64_t least, std::uint64_t most) {
  const auto count = apps::parse_count(text);
  if (!count) return std::unexpected(count.error());
  if (*count < least || *count > most) {
    return std::unexpected(fmt::format("{} is not from {} to {}", text, least, most));
  }
  return static_cast<Number>(*count);
}

apps::Parsed<std::uint32_t> parse_held(std::string_view text) {
  return parse_between<std::uint32_t>(text, kHeldMin, kHeldMax);
}

apps::Parsed<std::uint16_t> parse_mtu(std::string_view text) {
  return parse_between<std::uint16_t>(text, kMtuMin, kMtuMax);
}

apps::Parsed<unsigned> parse_cpu(std::string_view text) {
  const auto cpus = apps::parse_cpus(text);
  if (!cpus) return std::unexpected(cpus.error());
  if (cpus->size() != 1) return std::unexpected(fmt::format("'{}' is more than one CPU", text));
  return cpus->front();
}

PortName split_port(const std::string& text) {
  const std::size_t comma = text.find(',');
  if (comma == std::string::npos) return {text, ""};
  return {text.substr(0, comma), text};
}

void add_options(CLI::App& app, Options& options, std::vector<std::string>& ports) {
  app.add_option("ports", ports,
                 "the two ends, A and B: EAL ports such as net_af_packet0,iface=veth1 or "
                 "net_tap0,iface=tap0 or 0000:00:04.0")
      ->type_name("A B")
      ->expected(0, 2);
  add_weather_options(app, options.a_to_b, options.b_to_a);
  apps::add_parsed(app, "--seed", options.seed, apps::parse_seed,
                   "of all that is random; default: 1", "N");
  apps::add_parsed(app, "--duration", options.duration, apps::parse_duration,
                   "end after so long; default: at SIGINT", "TIME");
  apps::add_parsed(app, "--idle", options.idle, apps::parse_idle,
                   "when there is nothing to do: poll, or sleep (default), up to 50 us at a time, "
                   "and up to 0.9 ms when nothing has moved for a while",
                   "MODE");
  apps::add_parsed(app, "--held", options.held_max, parse_held,
                   "frames that can be on their way in one direction; default: by rate and delay, "
                   "at least 32768",
                   "FRAMES");
  apps::add_parsed(app, "--cpu", options.cpu, parse_cpu, "run on this CPU only", "N");
  apps::add_parsed(app, "--mtu", options.mtu, parse_mtu,
                   "largest IP packet of either port; default: 1500", "BYTES");
  app.add_flag("--huge-pages", options.huge_pages, "use 2 MiB pages (needs them to be set up)");
  app.add_option("--json", options.json_file, "write the counters to FILE as JSON")
      ->type_name("FILE");
  app.footer("Arguments after -- go to DPDK's EAL.");
}

std::expected<void, std::string> complete(Options& options, const std::vector<std::string>& ports) {
  if (ports.size() != 2) {
    return std::unexpected(
        "needs the two ports to join, such as net_af_packet0,iface=veth1 "
        "net_af_packet1,iface=veth2");
  }
  options.a = split_port(ports[0]);
  options.b = split_port(ports[1]);
  if (options.a.name == options.b.name) {
    return std::unexpected(fmt::format("both ports are called {}; number them, such as {}0 and {}1",
                                       options.a.name, options.a.name, options.a.name));
  }
  if (auto ok = complete_weather(options.a_to_b, "ab-"); !ok) return ok;
  if (auto ok = complete_weather(options.b_to_a, "ba-"); !ok) return ok;
  if (!options.json_file.empty()) return apps::check_writable(options.json_file);
  return {};
}

}  // namespace

std::expected<Options, apps::Ending> parse_options(std::span<const char* const> arguments) {
  CLI::App app("Joins two ports, and is a bad network in between.", "handfast-wire");
  Options options;
  std::vector<std::string> ports;
  add_options(app, options, ports);
  apps::Arguments split = apps::split_arguments(arguments);
  if (auto parsed = apps::parse_command_line(app, split.own); !parsed) {
    return std::unexpected(parsed.error());
  }
  options.eal = std::move(split.eal);
  if (auto ok = complete(options, ports); !ok) return std::unexpected(apps::refusal(ok.error()));
  return options;
}

std::uint32_t frames_in_flight(const drivers::Impairment& weather) {
  // Few senders fill a line with frames shorter than this on average.
  constexpr double kBytesOfFrame = 256;
  constexpr double kSpare = 1.25;
  const Duration longest = weather.delay + weather.jitter +
                           (weather.reorder > 0 ? weather.reorder_delay : Duration::zero());
  const double seconds = std::chrono::duration<double>(longest).count();
  const double bytes = static_cast<double>(weather.bits_per_second) / 8 * seconds +
                       static_cast<double>(weather.queue_max.bytes);
  const double frames = bytes / kBytesOfFrame + static_cast<double>(weather.queue_max.frames);
  return static_cast<std::uint32_t>(std::clamp(frames * kSpare, static_cast<double>(kHeldDefault),
                                               static_cast<double>(kHeldMax)));
}

}  // namespace handfast::emulator
