#include "apps/load/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "apps/options/connection_settings.hpp"
#include "apps/options/rates.hpp"
#include "apps/options/readable.hpp"
#include "apps/options/transport.hpp"

namespace handfast::load {
namespace {

constexpr std::array<std::string_view, 6> kModes = {"connect", "request", "stream",
                                                    "hold",    "fetch",   "exchange"};
constexpr std::array<std::string_view, 2> kClosings = {"fin", "rst"};
constexpr std::array<std::string_view, 3> kDirections = {"send", "receive", "both"};

constexpr std::uint64_t kConcurrencyMax = 16'000'000;
constexpr std::uint64_t kHoldMax = 16'000'000;
constexpr std::uint64_t kTimeWaitMax = 2'000'000'000;
constexpr std::uint64_t kWorkersMax = 64;

// A parser of one word of a list; its place in the list is the enumerator's value.
template <class T, std::size_t kCount>
auto one_of(const std::array<std::string_view, kCount>& words) {
  return [&words](std::string_view text) -> apps::Parsed<T> {
    const auto found = std::find(words.begin(), words.end(), text);
    if (found != words.end()) return static_cast<T>(found - words.begin());
    return std::unexpected(
        fmt::format("'{}' is none of {}", text, fmt::join(words.begin(), words.end(), ", ")));
  };
}

auto count_up_to(std::uint64_t most) {
  return [most](std::string_view text) -> apps::Parsed<std::uint32_t> {
    const auto count = apps::parse_count(text);
    if (!count) return std::unexpected(count.error());
    if (*count > most) {
      return std::unexpected(fmt::format("{} is too many; at most {}", text, most));
    }
    return static_cast<std::uint32_t>(*count);
  };
}

// Options whose defaults depend on whether a port is named.
struct Addressing {
  std::optional<Prefix> address;
  std::optional<Endpoint> server;
};

void add_work_options(CLI::App& app, Options& options) {
  apps::add_parsed(
      app, "mode", options.mode, one_of<Mode>(kModes),
      "connect: handshake, then close (default); request: one request and response "
      "in between; stream: bulk data for a time; hold: open many and keep them; fetch: "
      "download a page over HTTP; exchange: open many, then request and response without end on "
      "each",
      "MODE");
  apps::add_parsed(app, "--rate", options.rate, apps::parse_rate,
                   "connections to open a second (50k, 1.5M); default: as fast as it goes", "N");
  apps::add_parsed(
      app, "--concurrency", options.concurrency, count_up_to(kConcurrencyMax),
      "connections in flight at once, hold and exchange: handshakes; default: 512, stream "
      "and fetch: 1",
      "N");
  apps::add_parsed(
      app, "--duration", options.duration, apps::parse_duration,
      "how long to open, to stream, to hold or to exchange (10s, 500ms, 2m); default: 10s", "TIME");
  apps::add_parsed(app, "--connections", options.connections, apps::parse_count,
                   "stop after so many; hold, exchange: how many to open (default 100k, 256)", "N");
  apps::add_parsed(app, "--held", options.held, apps::parse_count,
                   "connect, request: open so many first, and keep them open and idle meanwhile",
                   "N");
  apps::add_parsed(app, "--in-flight", options.in_flight, count_up_to(kConcurrencyMax),
                   "exchange: requests on the way at once, over all connections, which take turns; "
                   "default: one on each, 10240 at most",
                   "N");
  apps::add_parsed(app, "--request-size", options.request_size, apps::parse_size,
                   "bytes of a request; default: 64", "SIZE");
  apps::add_parsed(app, "--response-size", options.response_size, apps::parse_size,
                   "bytes of a response; default: 64", "SIZE");
  apps::add_parsed(app, "--direction", options.direction, one_of<Direction>(kDirections),
                   "which way stream sends: send (default), receive or both", "WAY");
  apps::add_parsed(app, "--bytes", options.bytes, apps::parse_count,
                   "bytes that each stream sends or receives; it ends with them, or is reset when "
                   "a --duration is up before (100M)",
                   "N");
  app.add_option("--path", options.path, "page to fetch; default: /")->type_name("PATH");
  apps::add_parsed(app, "--close", options.closing, one_of<Closing>(kClosings),
                   "how connections end: fin (orderly, default) or rst", "HOW");
  apps::add_parsed(app, "--congestion", options.congestion, apps::parse_congestion,
                   "congestion control: new_reno, cubic (default), dctcp, bbr or none", "NAME");
  app.add_flag("--textbook", options.textbook,
               "every acknowledgement and FIN in a segment of its own");
  app.add_flag(
      "--fast-open", options.fast_open,
      "request: the first bytes leave in the SYN (RFC 7413), from the second connection on");
  apps::add_connection_settings(app, options.connection_settings);
}

void add_network_options(CLI::App& app, Options& options, Addressing& addressing) {
  apps::add_parsed(app, "--server", addressing.server, apps::parse_endpoint,
                   "whom to connect to; default: the embedded server, 198.19.0.1:80",
                   "ADDRESS:PORT");
  apps::add_parsed(app, "--source", options.source, apps::parse_prefix,
                   "range that connections come from; default: 198.18.0.0/16, with --port the own "
                   "address alone",
                   "ADDRESS/LENGTH");
  apps::add_parsed(app, "--address", addressing.address, apps::parse_own_address,
                   "own interface address and its network; default: 198.19.0.2/24",
                   "ADDRESS/LENGTH");
  apps::add_parsed(app, "--gateway", options.gateway, apps::parse_address,
                   "next hop to servers on other networks", "ADDRESS");
  apps::add_parsed(app, "--mtu", options.mtu, apps::parse_mtu,
                   "bytes of an IP packet, 576 to 9000; default: 1500", "N");
  apps::add_parsed(app, "--tso", options.tso, apps::parse_offload, apps::kTsoHelp, "MODE");
  app.add_option("--port", options.port,
                 "EAL port to use, such as net_tap0 or 0000:00:04.0; default: a server of our own "
                 "in the same process")
      ->type_name("NAME");
  apps::add_parsed(app, "--msl", options.msl, apps::parse_duration,
                   "maximum segment lifetime; TIME-WAIT lasts twice this; default: 30s", "TIME");
  apps::add_parsed(app, "--max-time-wait", options.max_time_wait, count_up_to(kTimeWaitMax),
                   "TIME-WAIT records to make room for; opening waits when they are full", "N");
}

void add_machine_options(CLI::App& app, Options& options) {
  apps::add_parsed(app, "--cores", options.cores, apps::parse_cpus,
                   "CPUs for the workers, the server's first (0,1)", "LIST");
  apps::add_parsed(app, "--workers", options.workers, count_up_to(kWorkersMax),
                   "workers a side; default: 1", "N");
  app.add_flag("--huge-pages", options.huge_pages, "use 2 MiB pages (needs them to be set up)");
  app.add_flag("--no-prefault", options.no_prefault, apps::kNoPrefaultHelp);
  apps::add_parsed(app, "--idle", options.idle, apps::parse_idle, apps::kIdleHelp, "MODE");
  apps::add_parsed(app, "--seed", options.seed, apps::parse_seed,
                   "seed of all random choices; default: the system's randomness", "N");
  app.add_option("--json", options.json_file, "write the report to FILE as JSON too")
      ->type_name("FILE");
  app.add_option("--pcap", options.pcap_file, "capture the frames to FILE, for Wireshark")
      ->type_name("FILE");
  app.footer("Arguments after -- go to DPDK's EAL, for example: -- --vdev=net_tap0,iface=tap0");
}

std::unexpected<std::string> wrong(std::string text) {
  return std::unexpected(std::move(text));
}

// The longest prefix (the smallest range) of a family with at least `addresses` in it.
unsigned longest_prefix(bool v4, double addresses) {
  const unsigned bits = v4 ? 32 : 128;
  const double needed = std::max(0.0, std::ceil(std::log2(addresses)));
  return needed >= bits ? 0 : bits - static_cast<unsigned>(needed);
}

double ports_of(const Prefix& source) {
  return static_cast<double>(source.size()) * static_cast<double>(kPortsPerAddress);
}

// The rest of a refusal: what would be right.
std::string range_for(const Prefix& source, double connections) {
  const double addresses = std::ceil(connections / static_cast<double>(kPortsPerAddress));
  return fmt::format("give at least a /{}", longest_prefix(source.network.is_v4(), addresses));
}

// Every connection that is open has a source port of its own.
std::expected<void, std::string> check_sources_of_kept(const Options& options) {
  const Prefix source = options.source_range();
  const std::uint64_t needed = options.kept() + (options.held ? 1 : 0);
  if (static_cast<double>(needed) <= ports_of(source)) return {};
  return wrong(fmt::format(
      "--source {} is too small: {} connections open at once need as many source ports{} and it "
      "has {}; {}",
      source.to_string(), apps::grouped(options.kept()), options.held ? ", and some to spare," : "",
      apps::grouped(static_cast<std::uint64_t>(ports_of(source))),
      range_for(source, static_cast<double>(needed))));
}

// Every source port is out of use for 2MSL after its close. A run at a set rate must not run dry.
std::expected<void, std::string> check_source_size(const Options& options) {
  if (auto ok = check_sources_of_kept(options); !ok) return ok;
  const bool churns = options.mode == Mode::connect || options.mode == Mode::request;
  if (!options.rate || !(churns || options.mode == Mode::fetch)) return {};
  if (options.closing == Closing::rst) return {};
  const Duration kept = 2 * options.msl;
  double needed = *options.rate * apps::seconds(kept);
  if (options.duration) needed = std::min(needed, *options.rate * apps::seconds(*options.duration));
  if (options.connections) needed = std::min(needed, static_cast<double>(*options.connections));
  needed += static_cast<double>(options.kept());
  const Prefix source = options.source_range();
  if (needed <= ports_of(source)) return {};
  return wrong(fmt::format(
      "--source {} is too small: {} connections/s need {} source ports while 2MSL ({}) lasts and "
      "it has {}; {}, or a lower --rate or --msl",
      source.to_string(), apps::scaled(*options.rate),
      apps::grouped(static_cast<std::uint64_t>(needed)), apps::readable(kept),
      apps::grouped(static_cast<std::uint64_t>(ports_of(source))), range_for(source, needed)));
}

std::expected<void, std::string> check_addressing(const Options& options) {
  const Address server = options.server.address;
  const Address own = options.address.network;
  if (server == own) {
    return wrong(
        fmt::format("--server {} is the own --address; they must differ", server.to_string()));
  }
  if (server.is_v4() != own.is_v4()) {
    return wrong(fmt::format("--server {} and --address {} are of different families",
                             server.to_string(), options.address.to_string()));
  }
  const Prefix source = options.source_range();
  if (source.network.is_v4() != own.is_v4()) {
    return wrong(fmt::format("--source {} and --address {} are of different families",
                             source.to_string(), options.address.to_string()));
  }
  if (source.contains(server)) {
    return wrong(
        fmt::format("--source {} contains the server's address {}; give a range without it",
                    source.to_string(), server.to_string()));
  }
  if (options.gateway && source.contains(*options.gateway)) {
    return wrong(fmt::format("--source {} contains the --gateway {}; give a range without it",
                             source.to_string(), options.gateway->to_string()));
  }
  if (options.gateway && !options.address.contains(*options.gateway)) {
    return wrong(fmt::format("--gateway {} is not on the network of --address {}",
                             options.gateway->to_string(), options.address.to_string()));
  }
  if (!options.gateway && !options.address.contains(server)) {
    return wrong(fmt::format("--server {} is not on the network of --address {}; give {}",
                             server.to_string(), options.address.to_string(),
                             options.embedded() ? "addresses of one network" : "a --gateway"));
  }
  return {};
}

std::expected<void, std::string> check_mode(const Options& options) {
  if (options.closing == Closing::rst && options.textbook) {
    return wrong("--close rst and --textbook contradict: the textbook's close is by FIN");
  }
  if (options.mode == Mode::stream && options.connections) {
    return wrong("--connections means nothing to stream; give --concurrency");
  }
  if (options.mode == Mode::stream && options.rate) {
    return wrong("--rate means nothing to stream; it sends as fast as it goes");
  }
  if (options.mode != Mode::request && options.fast_open) {
    return wrong(
        fmt::format("--fast-open means nothing to {}; it is for request", to_string(options.mode)));
  }
  if (options.mode != Mode::stream && options.bytes) {
    return wrong(
        fmt::format("--bytes means nothing to {}; it is for stream", to_string(options.mode)));
  }
  if (options.mode == Mode::fetch && options.embedded()) {
    return wrong("fetch needs a --port and a web server; the embedded server is none");
  }
  if (options.mode == Mode::fetch && !options.path.starts_with('/')) {
    return wrong(fmt::format("--path '{}' is no path; it begins with /", options.path));
  }
  return {};
}

std::expected<void, std::string> check_kept(const Options& options) {
  const bool churns = options.mode == Mode::connect || options.mode == Mode::request;
  if (options.held && !churns) {
    return wrong(fmt::format("--held means nothing to {}; it is for connect and request",
                             to_string(options.mode)));
  }
  if (options.kept() > kHoldMax) {
    return wrong(fmt::format("{} {} is too many to keep open; at most {}",
                             options.held ? "--held" : "--connections", options.kept(), kHoldMax));
  }
  if (options.in_flight && options.mode != Mode::exchange) {
    return wrong(fmt::format("--in-flight means nothing to {}; it is for exchange",
                             to_string(options.mode)));
  }
  if (options.mode != Mode::exchange) return {};
  for (const auto& [name, size] : {std::pair{"--request-size", options.request_size},
                                   std::pair{"--response-size", options.response_size}}) {
    if (size > kExchangeSizeMax) {
      return wrong(fmt::format("{} {} is too large to exchange; at most {} bytes", name, size,
                               kExchangeSizeMax));
    }
  }
  return {};
}

// Every worker is to have something to do.
std::expected<void, std::string> check_numbers(const Options& options) {
  const std::uint64_t work = std::min<std::uint64_t>(options.connections.value_or(options.workers),
                                                     options.concurrency.value_or(options.workers));
  const std::uint64_t streams = options.concurrency.value_or(1);
  if (work < options.workers || (options.mode == Mode::stream && streams < options.workers)) {
    return wrong(fmt::format("--workers {} is more than there are connections; give fewer workers",
                             options.workers));
  }
  if (options.held.value_or(options.workers) < options.workers ||
      options.in_flight.value_or(options.workers) < options.workers) {
    return wrong(fmt::format("--workers {} is more than --{} {}; give fewer workers",
                             options.workers, options.held ? "held" : "in-flight",
                             options.held ? *options.held : *options.in_flight));
  }
  const std::uint64_t needed = options.kept() + (options.held ? 1 : 0);
  if (options.max_time_wait && *options.max_time_wait < needed) {
    return wrong(fmt::format("--max-time-wait {} has no room for the {} connections to be held",
                             *options.max_time_wait, options.kept()));
  }
  return {};
}

std::expected<Options, std::string> complete(Options options, const Addressing& addressing) {
  if (!options.embedded() && (!addressing.server || !addressing.address)) {
    return wrong(fmt::format("--port {} needs --server ADDRESS:PORT and --address ADDRESS/LENGTH",
                             options.port));
  }
  if (options.embedded() && options.tso == Offload::on) {
    return wrong("--tso on needs a --port; the ring to the embedded server has no TSO");
  }
  if (options.embedded() && options.gateway) {
    return wrong("--gateway needs a --port; the embedded server is on the same link");
  }
  if (options.mode == Mode::hold && !options.connections) options.connections = 100'000;
  if (options.mode == Mode::exchange && !options.connections) {
    options.connections = std::max(256U, options.workers);
  }
  if (options.mode == Mode::fetch && !options.connections) {
    options.connections = options.concurrency.value_or(1);
  }
  const bool keeps = options.mode == Mode::hold || options.mode == Mode::exchange;
  const bool ends_by_itself = !keeps && (options.connections || options.bytes);
  if (!options.duration && !ends_by_itself) {
    options.duration = std::chrono::seconds(10);
  }
  const Prefix default_address{Address::v4(0xc6130002), 24};   // 198.19.0.2/24
  const Endpoint default_server{Address::v4(0xc6130001), 80};  // 198.19.0.1:80
  options.address = addressing.address.value_or(default_address);
  options.server = addressing.server.value_or(default_server);
  return options;
}

}  // namespace

std::string_view to_string(Mode mode) {
  return kModes[static_cast<std::size_t>(mode)];
}
std::string_view to_string(Closing closing) {
  return kClosings[static_cast<std::size_t>(closing)];
}
std::string_view to_string(Direction direction) {
  return kDirections[static_cast<std::size_t>(direction)];
}

std::uint64_t Options::kept() const {
  const bool keeps_all = mode == Mode::hold || mode == Mode::exchange;
  return keeps_all ? connections.value_or(0) : held.value_or(0);
}

Prefix Options::source_range() const {
  if (source) return *source;
  if (embedded()) return {Address::v4(0xc6120000), 16};  // 198.18.0.0/16
  return {address.network, static_cast<std::uint8_t>(address.network.is_v4() ? 32 : 128)};
}

std::expected<void, std::string> check_options(const Options& options) {
  if (auto ok = check_mode(options); !ok) return ok;
  if (auto ok = check_kept(options); !ok) return ok;
  if (auto ok = check_numbers(options); !ok) return ok;
  if (auto ok = check_addressing(options); !ok) return ok;
  if (auto ok = check_source_size(options); !ok) return ok;
  for (const std::string* const file : {&options.json_file, &options.pcap_file}) {
    if (file->empty()) continue;
    if (auto ok = apps::check_writable(*file); !ok) return ok;
  }
  return {};
}

std::expected<Options, apps::Ending> parse_options(std::span<const char* const> arguments) {
  CLI::App app(
      "Opens TCP connections as fast as asked and reports what became of them. With no --port it "
      "runs a server of its own in the same process, joined by a DPDK ring: no root, no huge "
      "pages, no network.",
      "handfast-load");
  Options options;
  Addressing addressing;
  add_work_options(app, options);
  add_network_options(app, options, addressing);
  add_machine_options(app, options);
  apps::Arguments split = apps::split_arguments(arguments);
  if (auto parsed = apps::parse_command_line(app, split.own); !parsed) {
    return std::unexpected(parsed.error());
  }
  options.eal = std::move(split.eal);
  auto completed = complete(std::move(options), addressing);
  if (!completed) return std::unexpected(apps::refusal(completed.error()));
  if (auto ok = check_options(*completed); !ok) return std::unexpected(apps::refusal(ok.error()));
  return std::move(*completed);
}

}  // namespace handfast::load
