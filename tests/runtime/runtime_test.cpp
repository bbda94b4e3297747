// Real stacks on real threads over the embedded pair. EAL starts once a process: meson runs each
// test of this file in a process of its own.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "tests/runtime/embedded_pair.hpp"

namespace handfast::test {
namespace {

std::unique_ptr<Runtime> start(const RuntimeConfig& config, Runtime::MakeApplication make) {
  auto runtime = Runtime::start(config, std::move(make));
  EXPECT_TRUE(runtime.has_value()) << runtime.error();
  return runtime ? std::move(*runtime) : nullptr;
}

std::string start_error(const RuntimeConfig& config, Runtime::MakeApplication make) {
  const auto runtime = Runtime::start(config, std::move(make));
  EXPECT_FALSE(runtime.has_value());
  return runtime ? "" : runtime.error();
}

Counters sum(const Runtime& runtime) {
  Counters total;
  for (unsigned i = 0; i < runtime.worker_count(); ++i) total += runtime.counters(i);
  return total;
}

void expect_echo(Runtime& runtime, const Tally& tally, unsigned connections) {
  EXPECT_TRUE(wait_for(runtime, [&] { return tally.finished + tally.failed >= connections; }));
  EXPECT_EQ(tally.opened, connections);
  EXPECT_EQ(tally.accepted, connections);
  EXPECT_EQ(tally.echoed, connections);
  EXPECT_EQ(tally.finished, connections);
  EXPECT_EQ(tally.failed, 0U);
}

TEST(RuntimeTest, EchoWithOneWorkerAtEachEnd) {
  Tally tally;
  const auto runtime = start(embedded_config(1), echo_applications(tally, 1, {2000}));
  ASSERT_NE(runtime, nullptr);
  EXPECT_EQ(runtime->worker_count(), 2U);
  expect_echo(*runtime, tally, 2000);
  EXPECT_TRUE(runtime->drain(std::chrono::seconds(10)));
  EXPECT_EQ(tally.drained, 2U);
  runtime->stop();
  EXPECT_EQ(tally.destroyed, 2U);
  EXPECT_EQ(tally.stopped, 0U) << "drained before";
  const auto counters = sum(*runtime);  // readable after the end
  EXPECT_EQ(counters.established_active, 2000U);
  EXPECT_EQ(counters.established_passive, 2000U);
  EXPECT_EQ(counters.handed_to_owner, 0U);
}

TEST(RuntimeTest, EchoWithTwoWorkersAtEachEnd) {
  Tally tally;
  const auto runtime = start(embedded_config(2), echo_applications(tally, 2, {2000}));
  ASSERT_NE(runtime, nullptr);
  EXPECT_EQ(runtime->worker_count(), 4U);
  expect_echo(*runtime, tally, 4000);
  EXPECT_TRUE(runtime->drain(std::chrono::seconds(10)));
  runtime->stop();
  // The client's ports lead to the worker at the other end of its own worker's ring.
  EXPECT_EQ(sum(*runtime).handed_to_owner, 0U);
  EXPECT_GT(runtime->counters(2).established_passive, 0U);
  EXPECT_GT(runtime->counters(3).established_passive, 0U);
}

TEST(RuntimeTest, FramesOfAnothersFlowAreHandedToIt) {
  Tally tally;
  auto config = embedded_config(2);
  config.ports[0].stack.seed = 1;
  config.ports[1].stack.seed = 2;
  const auto runtime = start(config, echo_applications(tally, 2, {2000}));
  ASSERT_NE(runtime, nullptr);
  expect_echo(*runtime, tally, 4000);
  EXPECT_TRUE(runtime->drain(std::chrono::seconds(10)));
  runtime->stop();
  const auto counters = sum(*runtime);
  // A ring carries queue k to queue k; half of the server's flows belong to the other worker.
  EXPECT_GT(counters.handed_to_owner, 0U);
  EXPECT_EQ(counters.handed_to_owner, counters.taken_from_other + counters.hand_over_full);
}

TEST(RuntimeTest, ManyWorkersOnOneCpu) {
  Tally tally;
  auto config = embedded_config(3);
  config.cores = {static_cast<unsigned>(::sched_getcpu())};
  const auto runtime = start(config, echo_applications(tally, 3, {200}));
  ASSERT_NE(runtime, nullptr);
  expect_echo(*runtime, tally, 600);
}

TEST(RuntimeTest, TasksRunOnTheirWorker) {
  Tally tally;
  const auto runtime = start(embedded_config(1), echo_applications(tally, 1, {}));
  ASSERT_NE(runtime, nullptr);
  std::set<std::thread::id> threads;
  for (unsigned i = 0; i < 2; ++i) {
    Instant before;
    ASSERT_TRUE(runtime->run_on(i, [&](Worker& worker) {
      EXPECT_EQ(worker.id(), i);
      threads.insert(std::this_thread::get_id());
      before = worker.now();
    }));
    std::atomic<bool> ran = false;
    ASSERT_TRUE(runtime->post(i, [&](Worker& worker) {
      EXPECT_GT(worker.now(), before);
      ran = true;
    }));
    EXPECT_TRUE(wait_for(*runtime, [&] { return ran.load(); }));
  }
  threads.insert(std::this_thread::get_id());
  EXPECT_EQ(threads.size(), 3U);
  runtime->stop();
  EXPECT_FALSE(runtime->post(0, [](Worker&) {}));
  EXPECT_FALSE(runtime->run_on(1, [](Worker&) {}));
}

TEST(RuntimeTest, DrainTimesOutWhileAConnectionStays) {
  Tally tally;
  const auto runtime = start(embedded_config(1), echo_applications(tally, 1, {10, 10, true}));
  ASSERT_NE(runtime, nullptr);
  ASSERT_TRUE(wait_for(*runtime, [&] { return tally.echoed == 10; }));
  EXPECT_FALSE(runtime->drain(std::chrono::milliseconds(20)));
}

TEST(RuntimeTest, StopEndsWhatIsOpen) {
  Tally tally;
  const auto runtime = start(embedded_config(2), echo_applications(tally, 2, {50, 50, true}));
  ASSERT_NE(runtime, nullptr);
  ASSERT_TRUE(wait_for(*runtime, [&] { return tally.echoed == 100; }));
  runtime->stop();
  // Some see the other side's reset before their own stop.
  const auto counters = sum(*runtime);
  EXPECT_EQ(counters.closed_aborted + counters.closed_reset, 200U);
  EXPECT_GT(tally.stopped, 0U);
  EXPECT_EQ(tally.destroyed, 4U);
}

TEST(RuntimeTest, StartsAgainInTheSameProcess) {
  for (int i = 0; i < 2; ++i) {
    Tally tally;
    const auto runtime = start(embedded_config(1), echo_applications(tally, 1, {100}));
    ASSERT_NE(runtime, nullptr);
    expect_echo(*runtime, tally, 100);
  }
}

Runtime* signalled = nullptr;

TEST(RuntimeTest, RequestStopFromASignalHandler) {
  Tally tally;
  const auto runtime = start(embedded_config(1), echo_applications(tally, 1, {}));
  ASSERT_NE(runtime, nullptr);
  EXPECT_FALSE(runtime->wait(std::chrono::milliseconds(1)));
  signalled = runtime.get();
  std::signal(SIGINT, [](int) { signalled->request_stop(); });
  std::raise(SIGINT);
  EXPECT_TRUE(runtime->wait(Duration::max()));
}

TEST(RuntimeTest, LeavesAffinityAndFilesAsTheyWere) {
  cpu_set_t before;
  cpu_set_t after;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  Tally tally;
  const auto runtime = start(embedded_config(1), echo_applications(tally, 1, {}));
  ASSERT_NE(runtime, nullptr);
  ASSERT_EQ(::sched_getaffinity(0, sizeof after, &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
  const auto name = "handfast-" + std::to_string(::getpid());
  for (const auto* base : {"/var/run/dpdk/", "/tmp/dpdk/"}) {
    EXPECT_FALSE(std::filesystem::exists(base + name)) << base;
  }
}

TEST(RuntimeTest, CaptureHasEveryFrameOnce) {
  Tally tally;
  auto config = embedded_config(1);
  config.pcap_file = testing::TempDir() + "handfast-runtime-" + std::to_string(::getpid());
  const auto runtime = start(config, echo_applications(tally, 1, {20}));
  ASSERT_NE(runtime, nullptr);
  expect_echo(*runtime, tally, 20);
  EXPECT_TRUE(runtime->drain(std::chrono::seconds(10)));
  runtime->stop();
  const auto counters = runtime->counters(0);
  const auto frames = counters.frames_received + counters.frames_sent;
  const auto bytes = counters.bytes_received + counters.bytes_sent;
  // pcap: a header of 24 bytes, and 16 before each frame.
  EXPECT_EQ(std::filesystem::file_size(config.pcap_file), 24 + 16 * frames + bytes);
  std::filesystem::remove(config.pcap_file);
}

TEST(RuntimeTest, LargeFramesFit) {
  Tally tally;
  auto config = embedded_config(1);
  for (auto& port : config.ports) port.stack.interface.mtu = 9000;
  const auto runtime = start(config, echo_applications(tally, 1, {20}));
  ASSERT_NE(runtime, nullptr);
  expect_echo(*runtime, tally, 20);
}

TEST(RuntimeTest, CountsItsTime) {
  Tally tally;
  const auto runtime = start(embedded_config(1), echo_applications(tally, 1, {200}));
  ASSERT_NE(runtime, nullptr);
  expect_echo(*runtime, tally, 200);
  runtime->stop();
  for (unsigned i = 0; i < 2; ++i) {
    const auto counters = runtime->counters(i);
    EXPECT_GT(counters.busy_ns, 0U);
    EXPECT_GT(counters.idle_ns, 0U);
    EXPECT_EQ(counters.sleeps, 0U) << "it is to poll";
  }
}

TEST(RuntimeTest, SleepingWorkersServeAndStop) {
  Tally tally;
  auto config = embedded_config(1);
  config.idle = IdleMode::sleep;
  const auto runtime = start(config, echo_applications(tally, 1, {200, 20}));
  ASSERT_NE(runtime, nullptr);
  expect_echo(*runtime, tally, 200);
  for (unsigned i = 0; i < 2; ++i) {
    const auto before = runtime->counters(i).sleeps;
    EXPECT_TRUE(wait_for(*runtime, [&] { return runtime->counters(i).sleeps > before + 2; }));
    EXPECT_TRUE(runtime->run_on(i, [](Worker&) {})) << "a task wakes it, soon";
  }
  EXPECT_TRUE(runtime->drain(std::chrono::seconds(10)));
  runtime->stop();
  EXPECT_EQ(tally.destroyed, 2U);
}

// What follows fails to start; each leaves a process in which the next one could.

TEST(RuntimeStartTest, UnknownDevice) {
  Tally tally;
  auto config = embedded_config(1);
  config.embedded = false;
  config.eal = {"--vdev=net_null0"};
  config.ports[0].device = "net_null0";
  config.ports[1].device = "net_tap9";
  EXPECT_EQ(start_error(config, echo_applications(tally, 1, {})),
            "port net_tap9 does not exist; EAL has: net_null0");
  EXPECT_EQ(tally.destroyed, 0U);
}

TEST(RuntimeStartTest, WrongEalArgumentIsOneLine) {
  Tally tally;
  auto config = embedded_config(1);
  config.eal = {"--no-such-option"};
  const auto error = start_error(config, echo_applications(tally, 1, {}));
  EXPECT_NE(error.find("--no-such-option"), std::string::npos) << error;
  EXPECT_EQ(error.find('\n'), std::string::npos) << error;
}

TEST(RuntimeStartTest, TooFewHugePages) {
  std::uint64_t free = 0;
  std::ifstream("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages") >> free;
  if (free > 100) GTEST_SKIP() << "this system has huge pages";
  Tally tally;
  auto config = embedded_config(1);
  config.huge_pages = true;
  config.packets_per_worker = 100'000;
  const auto error = start_error(config, echo_applications(tally, 1, {}));
  EXPECT_NE(error.find("free 2 MB huge pages, the system has"), std::string::npos) << error;
  EXPECT_NE(error.find("run: sysctl vm.nr_hugepages="), std::string::npos) << error;
}

TEST(RuntimeStartTest, ApplicationRefuses) {
  class Refusing final : public Application {
    std::expected<void, std::string> on_start(Worker&) override {
      return std::unexpected("no wish to start");
    }
  };
  Tally tally;
  const auto make = [&](unsigned worker) -> std::unique_ptr<Application> {
    if (worker == 1) return std::make_unique<Refusing>();
    return std::make_unique<EchoServer>(tally);
  };
  auto config = embedded_config(1);
  std::swap(config.ports[0].stack.interface, config.ports[1].stack.interface);
  EXPECT_EQ(start_error(config, make), "no wish to start");
  EXPECT_EQ(tally.destroyed, 1U) << "the other worker's application has ended too";
}

TEST(RuntimeStartTest, CaptureFileThatCannotBeWritten) {
  Tally tally;
  auto config = embedded_config(1);
  config.pcap_file = "/nonexistent/x.pcap";
  const auto error = start_error(config, echo_applications(tally, 1, {}));
  EXPECT_NE(error.find("/nonexistent/x.pcap"), std::string::npos) << error;
}

TEST(RuntimeStartTest, CoreOutsideTheProcess) {
  Tally tally;
  auto config = embedded_config(1);
  config.cores = {1000};
  EXPECT_NE(start_error(config, echo_applications(tally, 1, {})).find("CPU 1000 is not one of"),
            std::string::npos);
}

}  // namespace
}  // namespace handfast::test
