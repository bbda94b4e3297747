// Packet pools that are empty at any moment: whole conversations, at one end of which the pool
// refuses request number n and up to seven after it (with more a SYN is given up, rightly), for
// every n until the conversation asks for no more. Nothing may crash, nobody may be left waiting
// when packets are there again, and none is lost. Then pools that stay scarce because of what waits
// beyond gaps.

#include <map>

#include "base/bytes.hpp"
#include "two_hosts.hpp"

namespace handfast::stack {
namespace {

// Refuses a stretch of the requests for packets, which it counts one by one.
class ScarcePool final : public base::PacketPool {
 public:
  ScarcePool(base::PacketPool& inner, std::size_t first, std::size_t refusals)
      : inner_(inner), first_(first), end_(first + refusals) {}

  // One packet at a time, so that no stock stands between the pool and who asks.
  std::size_t allocate(std::span<base::Packet> out) override {
    const std::size_t number = asked_++;
    if (number >= first_ && number < end_) return 0;
    return inner_.allocate(out.first(std::min<std::size_t>(out.size(), 1)));
  }
  void free(std::span<const base::Packet> packets) override { inner_.free(packets); }
  std::size_t data_room() const override { return inner_.data_room(); }
  void share(const base::Packet& packet) override { inner_.share(packet); }
  bool is_shared(const base::Packet& packet) const override { return inner_.is_shared(packet); }
  // Who only looks whether there are packets, and asks for none while there are not, has been
  // refused as well.
  unsigned free_sixteenths() const override {
    if (!is_refusing()) return inner_.free_sixteenths();
    ++asked_;
    return 0;
  }

  bool is_refusing() const { return asked_ >= first_ && asked_ < end_; }
  bool has_refused() const { return asked_ > first_; }

 private:
  base::PacketPool& inner_;
  std::size_t first_;
  std::size_t end_;
  mutable std::size_t asked_ = 0;
};

// A host's own device, with a pool that runs dry. What arrives meanwhile is lost, as with a port
// that has no buffer to receive in.
class ScarceDevice final : public base::Device {
 public:
  ScarceDevice(base::Device& inner, std::size_t first, std::size_t refusals)
      : inner_(inner), pool_(inner.pool(), first, refusals) {}

  const base::DeviceInfo& info() const override { return inner_.info(); }
  base::PacketPool& pool() override { return pool_; }
  std::size_t receive(Instant now, std::span<base::Packet> out) override {
    const std::size_t received = inner_.receive(now, out);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < received; ++i) {
      base::Packet own;
      if (pool_.allocate({&own, 1}) == 0) {
        inner_.pool().free({&out[i], 1});
        continue;
      }
      inner_.pool().free({&own, 1});
      out[kept++] = out[i];
    }
    return kept;
  }
  std::size_t send(Instant now, std::span<const base::Packet> frames) override {
    return inner_.send(now, frames);
  }
  Instant next_arrival() const override { return inner_.next_arrival(); }

  const ScarcePool& scarce() const { return pool_; }

 private:
  base::Device& inner_;
  ScarcePool pool_;
};

struct Case {
  Family family;
  bool client_is_scarce;
  std::size_t refusals;
};

std::string name_of_case(const testing::TestParamInfo<Case>& info) {
  return std::string(info.param.family == Family::ipv4 ? "Ipv4" : "Ipv6") +
         (info.param.client_is_scarce ? "Client" : "Server") + std::to_string(info.param.refusals) +
         "Refusals";
}

constexpr std::size_t kRequest = 6'000;
constexpr std::size_t kResponse = 9'000;

// Sends `text` as room comes.
void send_rest(Connection connection, std::string_view text) {
  const std::size_t sent = connection.context();
  const auto accepted = connection.send(bytes_of(text.substr(sent)));
  connection.set_context(sent + accepted.value_or(0));
}

// Open, a request, a response, and the end: each end closes when it has all. Written so as to
// survive a send() that finds no packet. Nobody knows a link address at first.
class Conversation {
 public:
  Conversation(const Case& of, std::size_t first) {
    const bool is_v4 = of.family == Family::ipv4;
    server_end_ = is_v4 ? TwoHosts::kServer : TwoHosts::kServer6;
    const Endpoint client_end = is_v4 ? TwoHosts::kClient : TwoHosts::kClient6;
    sim::HostConfig client = host_at(client_end.address, 1);
    sim::HostConfig server = host_at(server_end_.address, 2);
    (of.client_is_scarce ? client : server).wrap = [this, of, first](base::Device& inner) {
      auto device = std::make_unique<ScarceDevice>(inner, first, of.refusals);
      device_ = device.get();
      return device;
    };
    world_.add_host(client);
    world_.add_host(server);
    script_client();
    script_server();
  }

  void run() {
    ASSERT_TRUE(world_.worker(1).listen(server_end_, server_).has_value());
    ASSERT_TRUE(world_.worker(0).connect(server_end_, client_).has_value());
    const auto is_over = [&] { return !client_.closed.empty() && !server_.closed.empty(); };
    ASSERT_TRUE(world_.run_until(is_over, 300s))
        << "client got " << client_.received.size() << ", server " << server_.received.size();
    EXPECT_EQ(client_.closed, std::vector{CloseReason::finished});
    EXPECT_EQ(server_.closed, std::vector{CloseReason::finished});
    EXPECT_EQ(client_.received, response_);
    EXPECT_EQ(server_.received, request_);
    was_refused_ = device_->scarce().has_refused();
    world_.run_for(61s);
    for (const std::size_t host : {0U, 1U}) {
      const Worker& worker = world_.worker(host);
      EXPECT_EQ(worker.open_count() + worker.half_open_count() + worker.time_wait_count(), 0U);
    }
    EXPECT_EQ(world_.shut_down(), 0U);
  }
  bool was_refused() const { return was_refused_; }

 private:
  static sim::HostConfig host_at(const Address& address, std::uint64_t seed) {
    sim::HostConfig host{.seed = seed, .packets = 256};
    host.stack.interface.addresses = {
        {address, address.is_v4() ? std::uint8_t{24} : std::uint8_t{64}}};
    host.stack.max_connections = 4;
    host.stack.max_half_open = 4;
    host.stack.max_time_wait = 4;
    return host;
  }
  void script_client() {
    client_.at_open = [this](Connection c) { send_rest(c, request_); };
    client_.at_writable = [this](Connection c) { send_rest(c, request_); };
    client_.at_data = [this](Connection c, Bytes data) {
      if (client_.received.size() + data.size() == kResponse) (void)c.close();
      return data.size();
    };
  }
  void script_server() {
    server_.at_data = [this](Connection c, Bytes data) {
      if (server_.received.size() + data.size() == kRequest) send_rest(c, response_);
      return data.size();
    };
    server_.at_writable = [this](Connection c) { send_rest(c, response_); };
  }

  const std::string request_ = std::string(kRequest, 'q');
  const std::string response_ = std::string(kResponse, 'r');
  Endpoint server_end_;
  Party client_;
  Party server_;
  bool was_refused_ = false;
  ScarceDevice* device_ = nullptr;
  sim::World world_{{.latency = 1ms}};
};

class EmptyPoolTest : public testing::TestWithParam<Case> {};

TEST_P(EmptyPoolTest, AConversationSurvivesEveryRefusal) {
  std::size_t first = 0;
  bool was_refused = true;
  for (; was_refused; ++first) {
    ASSERT_LT(first, 2000U);
    SCOPED_TRACE("refused from request " + std::to_string(first));
    Conversation conversation(GetParam(), first);
    conversation.run();
    if (HasFailure()) return;
    was_refused = conversation.was_refused();
  }
  EXPECT_GT(first, 15U) << "a conversation needs more packets than that";
}

INSTANTIATE_TEST_SUITE_P(Pools, EmptyPoolTest, testing::ValuesIn([] {
                           std::vector<Case> cases;
                           for (const Family family : {Family::ipv4, Family::ipv6}) {
                             for (const bool client : {true, false}) {
                               for (const std::size_t refusals : {1U, 3U, 8U})
                                 cases.push_back({family, client, refusals});
                             }
                           }
                           return cases;
                         }()),
                         name_of_case);

// Packets are scarce at the server, and more than are missing stand beyond gaps: no connection's
// own would do. True: the peers know what is kept (RFC 2018).
class GapsTest : public testing::TestWithParam<bool> {
 protected:
  static constexpr std::size_t kConnections = 12;
  static constexpr std::size_t kPackets = 1024;
  static constexpr std::size_t kText = 20'000;
  static constexpr std::size_t kKept = 9;  // of each connection: the initial window but its first

  GapsTest() {
    hosts_.client.at_open = [this](Connection c) {
      EXPECT_EQ(c.send(bytes_of(text_)).value_or(0), kText);
    };
    hosts_.world.link().set_filter([this](Instant, Bytes frame) { return is_lost(frame); });
  }

  // Each connection's first text is lost, however often it is sent, and what follows is kept.
  void open_gaps() {
    for (std::size_t i = 0; i < kConnections; ++i) hosts_.connect();
    const auto all_kept = [&] {
      return hosts_.server_counters().out_of_order_kept >= kConnections * kKept;
    };
    ASSERT_TRUE(hosts_.world.run_until(all_kept, 1s));
  }
  // Less than two sixteenths, whatever the stack has in stock. It notices when that is used up.
  void make_packets_scarce() {
    constexpr std::size_t kStock = 32;
    drivers::SimPool& pool = hosts_.world.pool(hosts_.server_host);
    taken_.resize(kPackets - pool.outstanding() - 2 * kStock);
    ASSERT_EQ(pool.allocate(taken_), taken_.size());
    for (std::size_t i = 0; i < kStock + 1; ++i) {
      Party nobody;
      ASSERT_TRUE(hosts_.client_worker().connect({hosts_.server_end.address, 9}, nobody));
      ASSERT_TRUE(hosts_.world.run_until([&] { return !nobody.closed.empty(); }, 1s));
    }
  }
  void give_back() { hosts_.world.pool(hosts_.server_host).free(taken_); }

  const std::string text_ = std::string(kText, 't');
  bool loses_first_text_ = true;
  TwoHosts hosts_{[](StackConfig& config) { config.sack = GetParam(); }, Family::ipv4,
                  [](sim::HostConfig& host) { host.packets = kPackets; }};

 private:
  bool is_lost(Bytes frame) {
    const std::size_t at = tcp_at(frame);
    if (at == 0) return false;
    const std::uint16_t port = base::load_be16(frame.data() + at);
    const std::uint32_t seq = base::load_be32(frame.data() + at + 4);
    const bool is_syn = (std::to_integer<unsigned>(frame[at + 13]) & base::kSyn) != 0;
    if (is_syn) first_text_[port] = seq + 1;
    const bool has_text = frame.size() > 1000;
    return loses_first_text_ && has_text && first_text_[port] == seq;
  }

  std::map<std::uint16_t, std::uint32_t> first_text_;
  std::vector<base::Packet> taken_;
};

// The segment that closes the gap must not be refused for ever because of those behind it.
TEST_P(GapsTest, GiveTheirPacketsBackForTheTextThatIsMissing) {
  open_gaps();
  make_packets_scarce();
  loses_first_text_ = false;
  const auto all_arrived = [&] { return hosts_.server.received.size() == kConnections * kText; };
  EXPECT_TRUE(hosts_.world.run_until(all_arrived, 10min)) << hosts_.server.received.size();
  EXPECT_GE(hosts_.server_counters().text_refused_no_packets, 1U);
  EXPECT_GE(hosts_.server_counters().out_of_order_given_up, 4 * kKept);
  EXPECT_TRUE(hosts_.server.closed.empty());
  EXPECT_TRUE(hosts_.client.closed.empty());
  give_back();
}

INSTANTIATE_TEST_SUITE_P(Pools, GapsTest, testing::Bool());

}  // namespace
}  // namespace handfast::stack
