// bare-link: the frames of our connections over the same links without TCP, which is what the link
// alone allows. Two ends on a CPU each, joined by a ring (two threads) or memif (two processes).
// Prints how many connections' (exchanges', frames') worth of frames a second went through, and
// with
// --in-flight 1 the round-trip time, as text or as one line of JSON.
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "bench/link/link_end.hpp"
#include "drivers/ethdev/ethdev_port.hpp"
#include "drivers/ethdev/ring_pair.hpp"
#include "runtime/affinity.hpp"
#include "runtime/clock.hpp"
#include "runtime/eal.hpp"
#include "runtime/eal_thread.hpp"

namespace handfast::bench {
namespace {

using Status = std::expected<void, std::string>;

constexpr std::uint64_t kQueueBytes = 4 << 20;  // rings and descriptors
constexpr Duration kSilenceMax = std::chrono::seconds(5);

struct Options {
  std::string link = "ring";
  std::string kind = "connect";
  double seconds = 1;
  std::uint32_t in_flight = 512;
  bool huge_pages = false;
  bool json = false;
  std::vector<unsigned> cpus;
};

struct Result {
  std::uint64_t completed = 0;
  double seconds = 0;
  load::Histogram times;
};

// A port with its pool, which outlives it.
struct Place {
  std::unique_ptr<drivers::EthdevPool> pool;
  std::unique_ptr<drivers::EthdevPort> port;
};

struct Closing {
  std::span<Place> places;
  ~Closing() {
    for (Place& place : places) place.port.reset();
  }
};

Status start_eal(const Options& options, unsigned ports, std::vector<std::string> arguments) {
  runtime::EalRequest request{.arguments = std::move(arguments), .huge_pages = options.huge_pages};
  request.memory_bytes = ports * (drivers::pool_memory({}) + kQueueBytes);
  return runtime::start_eal(request);
}

Status make_pool(const std::string& name, Place& place) {
  auto pool = drivers::EthdevPool::create(name, {});
  if (!pool) return std::unexpected(std::move(pool.error()));
  place.pool = std::move(*pool);
  return {};
}

const Work& work_of(const Options& options) {
  return *std::ranges::find(kWorks, options.kind, &Work::name);
}

// Also tells a server that nothing was heard of. Nobody polls any more when this is over: net_memif
// takes a ring's memory away under whoever polls it while the other end closes.
void part(LinkEnd& end, const runtime::TscClock& clock) {
  end.say_goodbye();
  const Instant give_up = clock.now() + std::chrono::milliseconds(100);
  for (Instant now = clock.now(); now < give_up && !end.has_sent_all(); now = clock.now()) {
    end.turn(now);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

// The server's whole life. Without a client, or when that is gone, its process is ended by a
// signal.
void serve(base::Device& device, const Work& work) {
  const runtime::TscClock clock;
  LinkEnd end(device, work, false);
  while (!end.is_told_to_end()) end.turn(clock.now());
}

std::expected<Result, std::string> drive(base::Device& device, const Options& options) {
  const Work& work = work_of(options);
  const runtime::TscClock clock;
  LinkEnd end(device, work, true);
  if (options.in_flight == 1) end.measure_times();
  end.begin(std::max(options.in_flight / work.group, 1U) * work.group);
  Instant now = clock.now();
  const Instant give_up = now + kSilenceMax;
  while (end.completed() == 0 && now < give_up) end.turn(now = clock.now());
  if (end.completed() == 0) {
    part(end, clock);
    return std::unexpected("nothing came back over the link");
  }

  Result result;
  const std::uint64_t before = end.completed();
  const Instant begin = now;
  const Instant stop =
      begin + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.seconds));
  while (now < stop) end.turn(now = clock.now());
  result.completed = end.completed() - before;
  result.seconds = std::chrono::duration<double>(now - begin).count();
  result.times = end.times();
  part(end, clock);
  return result;
}

std::expected<Result, std::string> run_ring(const Options& options) {
  if (auto ok = start_eal(options, 2, {}); !ok) return std::unexpected(std::move(ok.error()));
  std::array<Place, 2> places;
  if (auto ok = make_pool("bare_link_a", places[0]); !ok) return std::unexpected(ok.error());
  if (auto ok = make_pool("bare_link_b", places[1]); !ok) return std::unexpected(ok.error());
  // Closed before both pools: the rings may have frames of either.
  const Closing closing{places};
  drivers::EthdevPool* const first[] = {places[0].pool.get()};
  drivers::EthdevPool* const second[] = {places[1].pool.get()};
  auto ports = drivers::open_ring_pair({}, first, second);
  if (!ports) return std::unexpected(std::move(ports.error()));
  places[0].port = std::move(ports->first);
  places[1].port = std::move(ports->second);

  const std::jthread server([&] {
    runtime::pin_this_thread(options.cpus.front());
    const runtime::EalThread registered;
    serve(places[0].port->queue(0), work_of(options));
  });
  runtime::pin_this_thread(options.cpus.back());
  return drive(places[1].port->queue(0), options);
}

Status open_memif(const Options& options, const std::string& folder, bool is_client, Place& place) {
  const std::string device = fmt::format(
      "--vdev=net_memif0,role={},id=0,socket={}/memif.sock,socket-abstract=no,bsize=2048,rsize=11",
      is_client ? "client" : "server", folder);
  if (auto ok = start_eal(options, 1, {device}); !ok) return ok;
  if (auto ok = make_pool("bare_link", place); !ok) return ok;
  drivers::EthdevPool* const pools[] = {place.pool.get()};
  auto port = drivers::open_port("net_memif0", {}, pools);
  if (!port) return std::unexpected(std::move(port.error()));
  place.port = std::move(*port);
  runtime::pin_this_thread(is_client ? options.cpus.back() : options.cpus.front());
  return {};
}

// The server's process: tells by one byte that its socket is there.
int serve_memif(const Options& options, const std::string& folder, int ready) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  Place place;
  if (auto ok = open_memif(options, folder, false, place); !ok) {
    fmt::print(stderr, "bare-link: {}\n", ok.error());
    return 1;
  }
  if (::write(ready, "", 1) != 1) return 1;
  serve(place.port->queue(0), work_of(options));
  ::pause();  // the client closes first, and then ends this process
  return 0;
}

class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_;
};

std::expected<Result, std::string> run_memif(const Options& options, const std::string& folder) {
  std::array<int, 2> ready{};
  if (::pipe(ready.data()) != 0) return std::unexpected("no pipe could be made");
  const pid_t pid = ::fork();
  if (pid < 0) return std::unexpected("no second process could be made");
  if (pid == 0) {
    ::close(ready[0]);
    std::exit(serve_memif(options, folder, ready[1]));
  }
  ::close(ready[1]);
  const Child child(pid);
  char byte = 0;
  if (::read(ready[0], &byte, 1) != 1) return std::unexpected("the other end did not start");
  Place place;
  if (auto ok = open_memif(options, folder, true, place); !ok) return std::unexpected(ok.error());
  return drive(place.port->queue(0), options);
}

std::expected<Result, std::string> run_memif(const Options& options) {
  std::string folder = std::filesystem::temp_directory_path() / "handfast-link-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return std::unexpected("no folder for the socket");
  auto result = run_memif(options, folder);
  std::filesystem::remove_all(folder);
  return result;
}

nlohmann::ordered_json to_json(const Options& options, const Result& result) {
  const Work& work = work_of(options);
  const double per_second = static_cast<double>(result.completed) / result.seconds;
  const double frames_each = 1 + static_cast<double>(work.steps.size() - 1) / work.group;
  nlohmann::ordered_json json;
  json["kind"] = work.name;
  json["link"] = options.link;
  json["huge_pages"] = options.huge_pages;
  json["in_flight"] = options.in_flight;
  json["seconds"] = result.seconds;
  json["unit"] = work.unit;
  json["frames_each"] = frames_each;
  json["completed"] = result.completed;
  json["per_second"] = per_second;
  json["frames_per_second"] = per_second * frames_each;
  json["payload_bits_per_second"] = per_second * work.payload * 8;
  json["round_trip"] = nullptr;
  if (options.in_flight == 1) {
    json["round_trip"] = {{"count", result.times.count()},
                          {"p50_ns", result.times.percentile(50)},
                          {"p99_ns", result.times.percentile(99)}};
  }
  return json;
}

void print(const nlohmann::ordered_json& json) {
  fmt::print("{} over {}: {:.3g} M {}/s, {:.3g} M frames/s", json["kind"].get<std::string>(),
             json["link"].get<std::string>(), json["per_second"].get<double>() / 1e6,
             json["unit"].get<std::string>(), json["frames_per_second"].get<double>() / 1e6);
  if (json["payload_bits_per_second"] > 0) {
    fmt::print(", {:.3g} Gbit/s of text", json["payload_bits_per_second"].get<double>() / 1e9);
  }
  if (!json["round_trip"].is_null()) {
    fmt::print(", round trip p50 {} ns, p99 {} ns", json["round_trip"]["p50_ns"].dump(),
               json["round_trip"]["p99_ns"].dump());
  }
  fmt::print("\n");
}

int run(int count, char** values) {
  CLI::App app("Carries the frames of connections over a link, without TCP.", "bare-link");
  Options options;
  std::vector<std::string> kinds;
  for (const Work& work : kWorks) kinds.emplace_back(work.name);
  app.add_option("--link", options.link, "ring (one process) or memif (two)")
      ->check(CLI::IsMember({"ring", "memif"}))
      ->capture_default_str();
  app.add_option("--kind", options.kind, "whose frames")
      ->check(CLI::IsMember(kinds))
      ->capture_default_str();
  app.add_option("--in-flight", options.in_flight, "units at once; 1 measures the round trip")
      ->check(CLI::Range(1U, 1024U))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "how long")
      ->check(CLI::Range(0.01, 3600.0))
      ->capture_default_str();
  app.add_option("--cores", options.cpus, "CPUs, the server's first; default: the first two")
      ->delimiter(',')
      ->expected(1, 2);
  app.add_flag("--huge-pages", options.huge_pages, "use 2 MiB pages (needs them to be set up)");
  app.add_flag("--json", options.json, "print one line of JSON");
  CLI11_PARSE(app, count, values);
  if (options.cpus.empty()) options.cpus = runtime::allowed_cpus();
  if (options.cpus.size() > 2) options.cpus.resize(2);

  const auto result = options.link == "ring" ? run_ring(options) : run_memif(options);
  if (!result) {
    fmt::print(stderr, "bare-link: {}\n", result.error());
    return 1;
  }
  const auto json = to_json(options, *result);
  if (options.json) {
    fmt::print("{}\n", json.dump());
  } else {
    print(json);
  }
  return 0;
}

}  // namespace
}  // namespace handfast::bench

int main(int count, char** values) {
  return handfast::bench::run(count, values);
}
