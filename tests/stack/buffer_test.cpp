// Buffers of the application's: what is sent from them leaves from where it lies, and every packet
// comes back.
#include <deque>

#include "tests/stack/two_hosts.hpp"

namespace handfast::stack {
namespace {

// A port whose device takes its time: what was sent stays with it, as in a NIC's queue, until it is
// told to let go. The frames leave as copies, at once.
class SlowPort final : public base::Device {
 public:
  explicit SlowPort(base::Device& inner) : inner_(inner) {}
  ~SlowPort() override { let_go(); }

  const base::DeviceInfo& info() const override { return inner_.info(); }
  base::PacketPool& pool() override { return inner_.pool(); }
  std::size_t receive(Instant now, std::span<base::Packet> out) override {
    return inner_.receive(now, out);
  }
  std::size_t send(Instant now, std::span<const base::Packet> frames) override {
    for (const base::Packet& packet : frames) {
      for (const auto& other : held) {
        if (other.buffer == packet.buffer) ++sent_while_held;
      }
      base::Packet copy;
      HANDFAST_ASSERT(pool().allocate({&copy, 1}) == 1);
      std::copy_n(packet.data, packet.length, copy.data);
      copy.length = packet.length;
      copy.flags = packet.flags;
      HANDFAST_ASSERT(inner_.send(now, {&copy, 1}) == 1);
      held.push_back(packet);
    }
    if (!keeps) let_go();
    return frames.size();
  }
  Instant next_arrival() const override { return inner_.next_arrival(); }
  void let_go() {
    last.assign(held.begin(), held.end());
    for (const base::Packet& packet : held) pool().free({&packet, 1});
    held.clear();
  }
  // Whether the bytes at `text` left from where they are.
  bool has_sent(const std::byte* text) const {
    return std::any_of(sent().begin(), sent().end(), [text](const base::Packet& packet) {
      return packet.data <= text && text < packet.data + packet.length;
    });
  }

  bool keeps = false;
  int sent_while_held = 0;
  std::deque<base::Packet> held;
  std::deque<base::Packet> last;  // what was let go of last

 private:
  const std::deque<base::Packet>& sent() const { return keeps ? held : last; }
  base::Device& inner_;
};

std::string text_of(std::size_t length) {
  std::string text(length, '\0');
  for (std::size_t i = 0; i < length; ++i) text[i] = static_cast<char>('!' + i * 7 % 90);
  return text;
}

class BufferTest : public testing::TestWithParam<Family> {
 protected:
  explicit BufferTest(const TwoHosts::Configure& configure = {},
                      const TwoHosts::ConfigureHost& configure_host = {})
      : hosts(configure, GetParam(), [this, configure_host](sim::HostConfig& host) {
          host.wrap = [this](base::Device& inner) {
            auto port = std::make_unique<SlowPort>(inner);
            ports.push_back(port.get());
            return port;
          };
          if (configure_host) configure_host(host);
        }) {}

  SlowPort& client_port() { return *ports[0]; }
  SlowPort& server_port() { return *ports[1]; }
  std::size_t outstanding() { return hosts.world.pool(hosts.client_host).outstanding(); }
  Buffer filled(Connection c, std::string_view text) {
    auto buffer = c.worker().allocate_buffer();
    EXPECT_TRUE(buffer.has_value());
    EXPECT_GE(buffer->capacity(), text.size());
    buffer->resize(text.size());
    std::memcpy(buffer->bytes().data(), text.data(), text.size());
    return std::move(*buffer);
  }
  void open() {
    (void)hosts.connect();
    ASSERT_TRUE(hosts.world.run_until([&] { return hosts.server.opened == 1; }, 10s));
    hosts.world.run_for(1s);
  }
  bool arrives(const std::string& text) {
    return hosts.world.run_until([&] { return hosts.server.received == text; }, 1min);
  }
  void end() {
    (void)hosts.client.last.close();
    EXPECT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(); }, 1min));
    hosts.world.run_for(2min);
    hosts.expect_nothing_left();
  }

  std::vector<SlowPort*> ports;
  TwoHosts hosts;
};

TEST_P(BufferTest, ArrivesFromWhereItLiesAndComesBack) {
  open();
  const std::string text = text_of(1400);
  Buffer buffer = filled(hosts.client.last, text);
  const std::byte* const at = buffer.bytes().data();
  ASSERT_TRUE(hosts.client.last.send(std::move(buffer)).has_value());
  EXPECT_FALSE(buffer.is_valid());
  client_port().keeps = true;
  ASSERT_TRUE(arrives(text));
  EXPECT_TRUE(client_port().has_sent(at));
  client_port().keeps = false;
  client_port().let_go();
  end();
}

TEST_P(BufferTest, LongerThanASegmentIsCut) {
  open();
  const std::string text = text_of(1900);
  ASSERT_TRUE(hosts.client.last.send(filled(hosts.client.last, text)).has_value());
  EXPECT_EQ(hosts.client.last.bytes_queued(), text.size());
  ASSERT_TRUE(arrives(text));
  end();
}

TEST_P(BufferTest, PlainBytesAndBuffersKeepTheirOrder) {
  open();
  const std::string text = text_of(20'000);
  std::size_t at = 0;
  for (std::size_t i = 0; at < text.size(); ++i) {
    const std::size_t length = std::min<std::size_t>(1 + i * 83 % 700, text.size() - at);
    const std::string_view piece = std::string_view(text).substr(at, length);
    if (i % 2 == 0) {
      ASSERT_TRUE(hosts.client.last.send(filled(hosts.client.last, piece)).has_value());
    } else {
      ASSERT_EQ(hosts.client.last.send(bytes_of(piece)).value(), length);
    }
    at += length;
  }
  ASSERT_TRUE(arrives(text));
  end();
}

TEST_P(BufferTest, EchoCopiesNothing) {
  std::vector<const std::byte*> retained;
  hosts.server.at_data = [&](Connection c, Bytes data) {
    auto buffer = c.retain();
    EXPECT_TRUE(buffer.has_value());
    EXPECT_EQ(buffer->bytes().data(), data.data());
    EXPECT_EQ(c.retain().error(), Error::wrong_state);
    retained.push_back(data.data());
    EXPECT_TRUE(c.send(std::move(*buffer)).has_value());
    return std::size_t{0};  // does not matter
  };
  open();
  server_port().keeps = true;
  const std::string text = text_of(5000);
  ASSERT_EQ(hosts.client.last.send(bytes_of(text)).value(), text.size());
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.client.received == text; }, 1min));
  ASSERT_EQ(retained.size(), 4U);
  for (const std::byte* const at : retained) EXPECT_TRUE(server_port().has_sent(at));
  server_port().keeps = false;
  server_port().let_go();
  end();
}

TEST_P(BufferTest, RetainedFromTheReceiveQueue) {
  std::vector<Buffer> kept;
  bool takes = false;
  hosts.server.at_data = [&](Connection c, Bytes data) -> std::size_t {
    if (!takes) return 0;
    auto buffer = c.retain();
    EXPECT_TRUE(buffer.has_value());
    kept.push_back(std::move(*buffer));
    return data.size();
  };
  open();
  const std::string text = text_of(4000);
  ASSERT_EQ(hosts.client.last.send(bytes_of(text)).value(), text.size());
  hosts.world.run_for(1s);
  takes = true;
  (void)hosts.server.last.resume_receive();
  hosts.world.run_for(1s);
  std::string got;
  for (const Buffer& buffer : kept) {
    const std::span<const std::byte> bytes = buffer.bytes();
    got.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  EXPECT_EQ(got, text);
  EXPECT_EQ(hosts.server.last.retain().error(), Error::wrong_state);
  kept.clear();
  end();
}

TEST_P(BufferTest, RetransmissionLeavesTheFrameThatTheDeviceHolds) {
  open();
  client_port().keeps = true;
  const std::string text = text_of(1000);
  hosts.to_drop.push_back(hosts.frames.size());
  ASSERT_TRUE(hosts.client.last.send(filled(hosts.client.last, text)).has_value());
  ASSERT_TRUE(arrives(text));
  EXPECT_GE(hosts.client_counters().data_retransmitted, 1U);
  EXPECT_EQ(client_port().sent_while_held, 0);
  hosts.world.run_for(1s);
  // Acknowledged, but the device has it still.
  const std::size_t before = outstanding();
  client_port().keeps = false;
  client_port().let_go();
  EXPECT_LT(outstanding(), before);
  end();
}

TEST_P(BufferTest, RetransmissionReusesAFrameThatHasLeft) {
  open();
  const std::string text = text_of(1000);
  hosts.to_drop.push_back(hosts.frames.size());
  Buffer buffer = filled(hosts.client.last, text);
  const std::byte* const at = buffer.bytes().data();
  ASSERT_TRUE(hosts.client.last.send(std::move(buffer)).has_value());
  ASSERT_TRUE(
      hosts.world.run_until([&] { return hosts.client_counters().data_retransmitted > 0; }, 10s));
  EXPECT_TRUE(client_port().has_sent(at));
  ASSERT_TRUE(arrives(text));
  end();
}

TEST_P(BufferTest, AbortGivesThemBack) {
  open();
  for (std::size_t i = 0; i < 40; ++i) hosts.to_drop.push_back(hosts.frames.size() + i);
  client_port().keeps = true;
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(hosts.client.last.send(filled(hosts.client.last, text_of(1400))).has_value());
  }
  hosts.world.run_for(100ms);
  ASSERT_TRUE(hosts.client.last.abort().has_value());
  hosts.world.run_for(1s);
  client_port().keeps = false;
  hosts.to_drop.clear();
  (void)hosts.server.last.abort();
  hosts.world.run_for(1s);
  hosts.expect_nothing_left();
}

TEST_P(BufferTest, RefusedOneStaysTheCallers) {
  open();
  Buffer buffer = filled(hosts.client.last, text_of(1000));
  ASSERT_TRUE(hosts.client.last.close().has_value());
  EXPECT_EQ(hosts.client.last.send(std::move(buffer)).error(), Error::wrong_state);
  EXPECT_TRUE(buffer.is_valid());
  EXPECT_EQ(buffer.size(), 1000U);
  EXPECT_EQ(hosts.server.last.send(std::move(buffer)).error(), Error::wrong_state)
      << "another worker's";
  hosts.world.run_for(3min);
  EXPECT_EQ(hosts.client.last.send(std::move(buffer)).error(), Error::stale_connection);
  EXPECT_TRUE(buffer.is_valid());
  buffer = Buffer{};
  hosts.expect_nothing_left();
}

TEST_P(BufferTest, EmptyOneIsGivenBack) {
  open();
  const std::size_t before = outstanding();
  ASSERT_TRUE(hosts.client.last.send(filled(hosts.client.last, "")).has_value());
  ASSERT_TRUE(hosts.client.last.send(Buffer{}).has_value());
  hosts.world.run_for(1s);
  EXPECT_LE(outstanding(), before);
  end();
}

class SmallSendBuffer : public BufferTest {
 protected:
  SmallSendBuffer()
      : BufferTest([](StackConfig& config) {
          config.send_buffer = 10'000;
          config.send_buffer_max = 10'000;
        }) {}
};

TEST_P(SmallSendBuffer, AllOrNothing) {
  open();
  const std::string text = text_of(60'000);
  std::size_t sent = 0;
  int refused = 0;
  const auto send_more = [&](Connection c) {
    while (sent < text.size()) {
      Buffer buffer = filled(c, std::string_view(text).substr(sent, 1200));
      const auto result = c.send(std::move(buffer));
      if (!result) {
        EXPECT_EQ(result.error(), Error::send_buffer_full);
        ++refused;
        return;
      }
      sent += 1200;
    }
  };
  hosts.client.at_writable = send_more;
  send_more(hosts.client.last);
  ASSERT_TRUE(arrives(text));
  EXPECT_GE(refused, 5);
  end();
}

// Ports with TSO and LRO: the same bytes, fewer and larger frames for the host.
class LargeFrames : public BufferTest {
 protected:
  LargeFrames()
      : BufferTest({}, [](sim::HostConfig& host) {
          host.data_room = 16'384;
          host.offloads = {.checksums = true, .tso = true, .lro = true};
          host.wrap = {};
        }) {}
};

TEST_P(LargeFrames, ArriveExactly) {
  const std::string text = text_of(300'000);
  hosts.client.at_open = [&](Connection c) {
    EXPECT_EQ(c.send(bytes_of(text).first(200'000)).value(), 200'000U);
  };
  hosts.client.at_writable = [&](Connection) {};
  (void)hosts.connect();
  for (const std::size_t place : {20U, 21U, 50U, 90U}) hosts.to_drop.push_back(place);
  hosts.world.run_for(5s);
  ASSERT_EQ(hosts.client.last.send(bytes_of(text).subspan(200'000)).value(), 100'000U);
  (void)hosts.client.last.close();  // FIN rides on the last large frame
  ASSERT_TRUE(arrives(text));
  EXPECT_GT(hosts.world.link().counters().cut_up, 5U);
  EXPECT_GT(hosts.world.link().counters().merged, 50U);
  ASSERT_TRUE(hosts.world.run_until([&] { return hosts.both_closed(); }, 1min));
  hosts.world.run_for(2min);
  hosts.expect_nothing_left();
}

INSTANTIATE_TEST_SUITE_P(Families, BufferTest, testing::Values(Family::ipv4, Family::ipv6),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Families, SmallSendBuffer, testing::Values(Family::ipv4), name_of);
INSTANTIATE_TEST_SUITE_P(Families, LargeFrames, testing::Values(Family::ipv4, Family::ipv6),
                         name_of);

}  // namespace
}  // namespace handfast::stack
