#include "apps/serve/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "apps/options/connection_settings.hpp"
#include "apps/options/transport.hpp"

namespace handfast::serve {
namespace {

constexpr std::array<std::string_view, kServiceCount> kServices = {
    "echo",   "discard",     "chargen",    "http",       "sink",
    "source", "close-first", "shut-first", "abort-first"};
constexpr std::uint64_t kWorkersMax = 64;
constexpr std::uint64_t kConnectionsMax = 16'000'000;
constexpr std::uint64_t kPacketsMax = 1 << 24;
// What an echo may owe its peer. A full send buffer is what makes it stop reading.
constexpr std::uint32_t kOwedMax = 64 * 1024;

using RouteWords = std::tuple<std::string, std::string, std::string>;

// As typed; CLI11 fills it in before it is checked.
struct Words {
  std::vector<std::string> listen;
  std::vector<RouteWords> routes;
  std::optional<Prefix> address;
};

apps::Parsed<std::uint32_t> parse_up_to(std::string_view text, std::uint64_t most) {
  const auto count = apps::parse_count(text);
  if (!count) return std::unexpected(count.error());
  if (*count > most) {
    return std::unexpected(fmt::format("{} is too many; at most {}", text, most));
  }
  return static_cast<std::uint32_t>(*count);
}

apps::Parsed<Route> parse_route(const RouteWords& words) {
  const auto& [destination, via, gateway] = words;
  if (via != "via") {
    return std::unexpected(
        fmt::format("'{}' is not 'via'; write --route 10.0.0.0/8 via 198.18.0.9", via));
  }
  const auto prefix = Prefix::parse(destination);
  if (!prefix) return std::unexpected(prefix.error());
  const auto address = Address::parse(gateway);
  if (!address) return std::unexpected(address.error());
  return Route{*prefix, *address};
}

void add_http_options(CLI::App& app, Options& options) {
  apps::add_parsed(app, "--http-head-timeout", options.http_patience.head, apps::parse_duration,
                   "http: from the first byte of a request's head to its last; default: 20s",
                   "TIME");
  apps::add_parsed(app, "--http-idle-timeout", options.http_patience.idle, apps::parse_duration,
                   "http: between requests, and while neither body nor answer moves; default: 75s",
                   "TIME");
}

void add_options(CLI::App& app, Options& options, Words& words) {
  app.add_option("--listen", words.listen,
                 "offer a service on a TCP port, any number of times: echo, discard, chargen, "
                 "http, sink (hashes what comes), source (sends --bytes), close-first, "
                 "shut-first, abort-first")
      ->type_name("SERVICE:PORT")
      ->allow_extra_args(false);
  apps::add_parsed(app, "--dial", options.dial, apps::parse_endpoint,
                   "connect out, echo until the peer closes, then end", "ADDRESS:PORT");
  app.add_option("--port", options.port, "EAL port to use, such as net_tap0 or 0000:00:04.0")
      ->type_name("NAME");
  apps::add_parsed(app, "--address", words.address, apps::parse_own_address,
                   "own interface address and its network", "ADDRESS/LENGTH");
  apps::add_parsed(app, "--gateway", options.gateway, apps::parse_address,
                   "next hop to other networks", "ADDRESS");
  app.add_flag("--accept-ra", options.accept_ra,
               "with an IPv6 --address and no --gateway: take the next hop, the prefixes on the "
               "link and its MTU from what routers advertise");
  app.add_flag("--detect-duplicates", options.detect_duplicates,
               "ask whether another host has the IPv6 --address, and give it up if one does");
  apps::add_parsed(app, "--mtu", options.mtu, apps::parse_mtu,
                   "bytes of an IP packet, 576 to 9000; default: 1500", "N");
  apps::add_parsed(app, "--tso", options.tso, apps::parse_offload, apps::kTsoHelp, "MODE");
  app.add_option("--route", words.routes,
                 "next hop to one network, any number of times: PREFIX via ADDRESS")
      ->type_name("PREFIX via ADDRESS")
      ->allow_extra_args(false);
  apps::add_parsed(
      app, "--workers", options.workers,
      [](std::string_view text) { return parse_up_to(text, kWorkersMax); },
      "workers, each with a queue of the port; default: 1", "N");
  apps::add_parsed(app, "--cores", options.cores, apps::parse_cpus, "CPUs for the workers (0,1)",
                   "LIST");
  apps::add_parsed(app, "--duration", options.duration, apps::parse_duration,
                   "end after so long; default: at SIGINT", "TIME");
  apps::add_parsed(app, "--msl", options.msl, apps::parse_duration,
                   "maximum segment lifetime; TIME-WAIT lasts twice this; default: 30s", "TIME");
  apps::add_parsed(
      app, "--max-connections", options.max_connections,
      [](std::string_view text) { return parse_up_to(text, kConnectionsMax); },
      "connections a worker has room for; default: 65536", "N");
  apps::add_parsed(
      app, "--packets", options.packets,
      [](std::string_view text) { return parse_up_to(text, kPacketsMax); },
      "packet buffers of a worker: what is sent and not acknowledged, on all connections, occupies "
      "them; default: 16384",
      "N");
  apps::add_connection_settings(app, options.connection_settings);
  add_http_options(app, options);
  app.add_flag("--textbook", options.textbook,
               "every acknowledgement and FIN in a segment of its own");
  app.add_flag("--fast-open", options.fast_open,
               "take requests that come in the SYN, of clients that show a cookie (RFC 7413)");
  app.add_flag("--huge-pages", options.huge_pages, "use 2 MiB pages (needs them to be set up)");
  app.add_flag("--no-prefault", options.no_prefault, apps::kNoPrefaultHelp);
  apps::add_parsed(app, "--idle", options.idle, apps::parse_idle, apps::kIdleHelp, "MODE");
  apps::add_parsed(app, "--bytes", options.bytes, apps::parse_count,
                   "bytes that `source` sends on each connection; default: 100M", "N");
  apps::add_parsed(app, "--congestion", options.congestion, apps::parse_congestion,
                   "congestion control: new_reno, cubic (default), dctcp, bbr or none", "NAME");
  app.add_option("--json", options.json_file,
                 "write counters and the streams of sink and source to FILE at the end")
      ->type_name("FILE");
  app.add_option("--pcap", options.pcap_file, "capture the frames to FILE, for Wireshark")
      ->type_name("FILE");
  app.footer("Arguments after -- go to DPDK's EAL, for example: -- --vdev=net_tap0,iface=tap0");
}

std::expected<void, std::string> add_listens(const std::vector<std::string>& words,
                                             Options& options) {
  for (const std::string& word : words) {
    const auto listen = parse_listen(word);
    if (!listen) return std::unexpected("--listen: " + listen.error());
    const bool taken = std::any_of(options.listen.begin(), options.listen.end(),
                                   [&](const Listen& l) { return l.port == listen->port; });
    if (taken) {
      return std::unexpected(
          fmt::format("--listen {}: port {} has a service already", word, listen->port));
    }
    options.listen.push_back(*listen);
  }
  return {};
}

std::expected<void, std::string> complete(Options& options, const Words& words) {
  if (auto ok = add_listens(words.listen, options); !ok) return ok;
  for (const RouteWords& route_words : words.routes) {
    const auto route = parse_route(route_words);
    if (!route) return std::unexpected("--route: " + route.error());
    options.routes.push_back(*route);
  }
  if (options.listen.empty() && !options.dial) {
    return std::unexpected("nothing to serve; give --listen SERVICE:PORT, such as echo:7");
  }
  if (options.port.empty()) {
    return std::unexpected(
        "no port; give --port NAME and what makes it, such as --port net_tap0 -- "
        "--vdev=net_tap0,iface=tap0");
  }
  if (!words.address) {
    return std::unexpected("no address; give --address ADDRESS/LENGTH, such as 198.18.0.1/24");
  }
  options.address = *words.address;
  if (options.address.network.is_v4() && (options.accept_ra || options.detect_duplicates)) {
    return std::unexpected(fmt::format("{} is for IPv6; give an --address like 2001:db8::1/64",
                                       options.accept_ra ? "--accept-ra" : "--detect-duplicates"));
  }
  for (const std::string* const file : {&options.json_file, &options.pcap_file}) {
    if (file->empty()) continue;
    if (auto ok = apps::check_writable(*file); !ok) return ok;
  }
  return runtime_config(options).ports.front().stack.check();
}

}  // namespace

std::string_view to_string(Service service) {
  return kServices[static_cast<std::size_t>(service)];
}

bool Options::has(Service service) const {
  return std::any_of(listen.begin(), listen.end(),
                     [&](const Listen& l) { return l.service == service; });
}

apps::Parsed<Listen> parse_listen(std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  const auto name = std::find(kServices.begin(), kServices.end(), text.substr(0, colon));
  if (colon == text.size() || name == kServices.end()) {
    return std::unexpected(
        fmt::format("'{}' is not SERVICE:PORT with one of {}", text, fmt::join(kServices, ", ")));
  }
  const auto port = apps::parse_port_number(text.substr(colon + 1));
  if (!port) return std::unexpected(port.error());
  return Listen{static_cast<Service>(name - kServices.begin()), *port};
}

std::expected<Options, apps::Ending> parse_options(std::span<const char* const> arguments) {
  CLI::App app("Serves TCP connections on a stack of its own, any number of services at once.",
               "handfast-serve");
  Options options;
  Words words;
  add_options(app, options, words);
  apps::Arguments split = apps::split_arguments(arguments);
  if (auto parsed = apps::parse_command_line(app, split.own); !parsed) {
    return std::unexpected(parsed.error());
  }
  options.eal = std::move(split.eal);
  if (auto ok = complete(options, words); !ok) return std::unexpected(apps::refusal(ok.error()));
  return options;
}

RuntimeConfig runtime_config(const Options& options) {
  StackConfig stack = options.connection_settings;
  stack.textbook = options.textbook;
  if (options.fast_open) stack.fast_open = FastOpen::server;
  stack.interface.addresses = {options.address};
  const bool is_v4_gateway = options.gateway && options.gateway->is_v4();
  (is_v4_gateway ? stack.interface.gateway : stack.interface.gateway6) = options.gateway;
  stack.interface.router_advertisements = options.accept_ra;
  stack.interface.duplicate_detection = options.detect_duplicates;
  stack.interface.mtu = options.mtu;
  stack.interface.routes = options.routes;
  stack.max_connections = options.max_connections;
  stack.prefault = !options.no_prefault;
  stack.msl = options.msl;
  stack.congestion_control = options.congestion;
  if (options.has(Service::echo) || options.dial) stack.send_buffer = kOwedMax;
  RuntimeConfig config;
  config.eal = options.eal;
  config.ports.push_back(PortConfig{options.port, stack, options.workers, options.tso});
  config.cores = options.cores;
  config.huge_pages = options.huge_pages;
  config.idle = options.idle;
  config.pcap_file = options.pcap_file;
  config.packets_per_worker = options.packets;
  return config;
}

}  // namespace handfast::serve
