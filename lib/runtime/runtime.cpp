#include "handfast/runtime.hpp"

#include <sys/random.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>
#include <semaphore>
#include <system_error>
#include <thread>

#include "base/assert.hpp"
#include "base/memory_refused.hpp"
#include "base/random.hpp"
#include "runtime/affinity.hpp"
#include "runtime/assembly.hpp"
#include "runtime/eal.hpp"
#include "runtime/settings.hpp"
#include "runtime/stop_signal.hpp"
#include "runtime/worker_thread.hpp"

namespace handfast {
namespace {

using Status = std::expected<void, std::string>;

// What the workers of one port share so that they agree on a flow's owner and sequence numbers.
struct PortSecrets {
  base::HashSecret flow;
  base::SipKey isn{};
};

std::expected<PortSecrets, std::string> draw_secrets(const PortConfig& port, std::size_t index) {
  std::array<std::uint64_t, 4> words{};
  if (port.stack.seed) {
    // Two ports of equal seed still differ.
    std::uint64_t state = *port.stack.seed ^ (std::uint64_t{index} << 32);
    for (auto& word : words) word = base::split_mix(state);
  } else if (::getrandom(words.data(), sizeof words, 0) != sizeof words) {
    return std::unexpected("the operating system gives no random numbers");
  }
  return PortSecrets{.flow = {words[0], words[1]}, .isn = {words[2], words[3]}};
}

// The embedded pair's workers are joined one to one: with one secret, a client chooses ports whose
// frames come to the server's worker that owns them. Seeds that differ are kept apart.
bool are_one_pair(const PortConfig& a, const PortConfig& b) {
  return a.device.empty() && b.device.empty() && a.stack.seed == b.stack.seed;
}

// Wakes run_on() when its task was run or thrown away, whichever comes.
class Completion {
 public:
  explicit Completion(std::binary_semaphore& done) : done_(&done) {}
  Completion(Completion&& other) noexcept : done_(std::exchange(other.done_, nullptr)) {}
  Completion& operator=(Completion&&) = delete;
  ~Completion() {
    if (done_ != nullptr) done_->release();
  }

 private:
  std::binary_semaphore* done_;
};

}  // namespace

struct Runtime::Impl {
  Impl(const RuntimeConfig& configured, MakeApplication make)
      : config(configured), make_application(std::move(make)) {}

  Status start();
  void stop();
  Status start_workers();
  bool run_on(unsigned id, const std::function<void(Worker&)>& task);

  RuntimeConfig config;
  MakeApplication make_application;
  std::optional<runtime::TscClock> clock;  // when EAL is up
  // The assembly outlives the workers; both are gone after stop(), but for the workers' counters.
  std::unique_ptr<runtime::Assembly> assembly;
  std::vector<std::unique_ptr<runtime::WorkerThread>> workers;
  runtime::WorkerThread& worker(unsigned id) {
    HANDFAST_ASSERT(id < workers.size());
    return *workers[id];
  }
  std::once_flag stopped;
  runtime::StopSignal stop_signal;
};

Status Runtime::Impl::start() {
  Status status = runtime::check_settings(config, runtime::allowed_cpus());
  if (status) status = runtime::start_eal(runtime::eal_request(config));
  if (!status) return status;
  clock.emplace();
  assembly = std::make_unique<runtime::Assembly>();
  status = assembly->build(config, *clock);
  if (status) status = start_workers();
  if (!status) stop();
  return status;
}

Status Runtime::Impl::start_workers() {
  const auto cpus = runtime::assign_cpus(config, runtime::allowed_cpus());
  base::HashSecret first_flow_secret;
  for (std::size_t p = 0; p < config.ports.size(); ++p) {
    auto& port = config.ports[p];
    auto secrets = draw_secrets(port, p);
    if (!secrets) return std::unexpected(secrets.error());
    if (p > 0 && are_one_pair(config.ports[0], port)) secrets->flow = first_flow_secret;
    if (p == 0) first_flow_secret = secrets->flow;
    for (unsigned queue = 0; queue < port.workers; ++queue) {
      const auto id = static_cast<unsigned>(workers.size());
      // Some ports take shorter frames for what they do in our stead.
      auto& mtu = port.stack.interface.mtu;
      mtu = std::min(mtu, assembly->device(id).info().mtu);
      const runtime::WorkerPlan plan{
          .cpu = cpus[id],
          .cpu_is_shared = std::ranges::count(cpus, cpus[id]) > 1,
          .idle = config.idle,
          .place = {.worker = id,
                    .queue = queue,
                    .queues = port.workers,
                    .flow_secret = secrets->flow,
                    .isn_key = secrets->isn},
          .config = &port.stack,
          .device = &assembly->device(id),
          .exchange = assembly->exchange(p, queue),
          .clock = &*clock,
          .make_application = &make_application,
      };
      workers.push_back(std::make_unique<runtime::WorkerThread>(plan));
    }
  }
  for (const auto& worker : workers) worker->start();
  Status status;
  for (const auto& worker : workers) {
    const Status prepared = worker->wait_until_prepared();
    if (status && !prepared) status = prepared;
  }
  if (status) {
    for (const auto& worker : workers) worker->begin_polling();
  }
  return status;
}

void Runtime::Impl::stop() {
  std::call_once(stopped, [this] {
    for (const auto& worker : workers) worker->stop();
    for (const auto& worker : workers) worker->join();
    assembly.reset();
  });
}

bool Runtime::Impl::run_on(unsigned id, const std::function<void(Worker&)>& task) {
  std::binary_semaphore done{0};
  bool ran = false;
  const bool posted =
      worker(id).mailbox().post([&task, &ran, completion = Completion(done)](Worker& on) {
        task(on);
        ran = true;
      });
  // A task that was refused has been destroyed, and released `done`, as well.
  done.acquire();
  return posted && ran;
}

std::expected<std::unique_ptr<Runtime>, std::string> Runtime::start(const RuntimeConfig& config,
                                                                    MakeApplication make) {
  // What was started so far ends with `impl`.
  try {
    auto impl = std::make_unique<Impl>(config, std::move(make));
    if (auto status = impl->start(); !status) return std::unexpected(std::move(status.error()));
    return std::unique_ptr<Runtime>(new Runtime(std::move(impl)));
  } catch (const std::bad_alloc&) {
    return std::unexpected(base::memory_refused("the system refused memory for the runtime"));
  } catch (const std::system_error&) {
    return std::unexpected(base::memory_refused("the system refused a thread for a worker"));
  }
}

Runtime::Runtime(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Runtime::~Runtime() {
  stop();
}

unsigned Runtime::worker_count() const {
  return static_cast<unsigned>(impl_->workers.size());
}

bool Runtime::post(unsigned worker, std::move_only_function<void(Worker&)> task) {
  return impl_->worker(worker).mailbox().post(std::move(task));
}

bool Runtime::run_on(unsigned worker, const std::function<void(Worker&)>& task) {
  return impl_->run_on(worker, task);
}

Counters Runtime::counters(unsigned worker) const {
  return impl_->worker(worker).counters();
}

bool Runtime::drain(Duration timeout) {
  using Clock = std::chrono::steady_clock;
  constexpr auto kLookEvery = std::chrono::milliseconds(2);
  for (const auto& thread : impl_->workers) {
    thread->mailbox().post([&thread](Worker& worker) { thread->application().on_drain(worker); });
  }
  const auto began = Clock::now();
  for (;;) {
    std::uint64_t open = 0;
    for (unsigned i = 0; i < worker_count(); ++i) {
      impl_->run_on(
          i, [&](Worker& worker) { open += worker.open_count() + worker.half_open_count(); });
    }
    if (open == 0) return true;
    if (Clock::now() - began >= timeout) return false;
    std::this_thread::sleep_for(kLookEvery);
  }
}

void Runtime::stop() {
  impl_->stop();
}

void Runtime::request_stop() {
  impl_->stop_signal.set();
}

bool Runtime::wait(Duration timeout) {
  return impl_->stop_signal.wait(timeout);
}

}  // namespace handfast
