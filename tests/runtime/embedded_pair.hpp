// A runtime of two ports joined inside the process: a client's and a server's, with applications
// that tests look into from outside. Each test that starts one runs in a process of its own.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "handfast/runtime.hpp"

namespace handfast::test {

inline constexpr std::uint16_t kEchoPort = 7;

inline RuntimeConfig embedded_config(unsigned workers) {
  RuntimeConfig config{.embedded = true, .packets_per_worker = 4096};
  config.ports.resize(2);
  for (auto& port : config.ports) {
    port.workers = workers;
    port.stack.max_connections = 4096;
    port.stack.max_half_open = 4096;
    port.stack.max_time_wait = 100'000;
    port.stack.seed = 7;
  }
  config.ports[0].stack.interface.addresses = {*Prefix::parse("198.18.0.1/15")};
  config.ports[1].stack.interface.addresses = {*Prefix::parse("198.18.0.2/15")};
  return config;
}

inline Endpoint echo_endpoint() {
  return *Endpoint::parse("198.18.0.2:7");
}

// What the two sides saw, over all workers.
struct Tally {
  std::atomic<unsigned> opened{0};     // at the client
  std::atomic<unsigned> echoed{0};     // whole answers at the client
  std::atomic<unsigned> finished{0};   // orderly ends at the client
  std::atomic<unsigned> failed{0};     // any other end at the client
  std::atomic<unsigned> stopped{0};    // ends by a stop, either side
  std::atomic<unsigned> accepted{0};   // at the server
  std::atomic<unsigned> drained{0};    // on_drain calls
  std::atomic<unsigned> destroyed{0};  // applications
};

class EchoServer final : public Application {
 public:
  explicit EchoServer(Tally& tally) : tally_(&tally) {}
  ~EchoServer() override { ++tally_->destroyed; }

  std::expected<void, std::string> on_start(Worker& worker) override {
    if (auto listening = worker.listen(echo_endpoint(), *this); !listening) {
      return std::unexpected(std::string(to_string(listening.error())));
    }
    return {};
  }
  void on_drain(Worker&) override { ++tally_->drained; }

  void on_open(Connection) { ++tally_->accepted; }
  std::size_t on_data(Connection connection, Bytes data) {
    return connection.send(data).value_or(0);
  }
  void on_closed(Connection, CloseReason reason) {
    if (reason == CloseReason::stopped) ++tally_->stopped;
  }

 private:
  Tally* tally_;
};

// Opens `connections`, at most `at_once` at a time; each sends 64 bytes and, when they are back,
// closes, or stays open when `keep` says so.
class EchoClient final : public Application {
 public:
  struct Plan {
    unsigned connections = 0;
    unsigned at_once = 64;
    bool keep = false;
  };
  EchoClient(Tally& tally, const Plan& plan) : tally_(&tally), plan_(plan) {}
  ~EchoClient() override { ++tally_->destroyed; }

  void on_poll(Worker& worker) override {
    while (!draining_ && begun_ < plan_.connections && open_ < plan_.at_once) {
      if (!worker.connect(echo_endpoint(), *this)) return;
      ++begun_;
      ++open_;
    }
  }
  void on_drain(Worker&) override {
    draining_ = true;
    ++tally_->drained;
  }

  void on_open(Connection connection) {
    ++tally_->opened;
    (void)connection.send(kRequest);
  }
  std::size_t on_data(Connection connection, Bytes data) {
    const auto got = connection.context() + data.size();
    connection.set_context(got);
    if (got == kRequest.size()) {
      ++tally_->echoed;
      if (!plan_.keep) (void)connection.close();
    }
    return data.size();
  }
  void on_closed(Connection, CloseReason reason) {
    --open_;
    if (reason == CloseReason::finished) {
      ++tally_->finished;
    } else if (reason == CloseReason::stopped) {
      ++tally_->stopped;
    } else {
      ++tally_->failed;
    }
  }

 private:
  static constexpr std::array<std::byte, 64> kRequest{};

  Tally* tally_;
  Plan plan_;
  unsigned begun_ = 0;
  unsigned open_ = 0;
  bool draining_ = false;
};

// Clients on the first `workers` workers, servers on the others.
inline Runtime::MakeApplication echo_applications(Tally& tally, unsigned workers,
                                                  const EchoClient::Plan& plan) {
  return [&tally, workers, plan](unsigned worker) -> std::unique_ptr<Application> {
    if (worker < workers) return std::make_unique<EchoClient>(tally, plan);
    return std::make_unique<EchoServer>(tally);
  };
}

// Until `done()` or a generous time has passed; says which.
template <class Done>
bool wait_for(Runtime& runtime, Done&& done) {
  constexpr int kLooks = 6000;  // of 5 ms
  for (int i = 0; i < kLooks; ++i) {
    if (done()) return true;
    runtime.wait(std::chrono::milliseconds(5));
  }
  return done();
}

}  // namespace handfast::test
