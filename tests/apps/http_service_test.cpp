// HTTP over whole stacks in virtual time: whoever is slow on purpose loses the connection, and the
// others are served meanwhile.
#include "apps/serve/http_service.hpp"

#include "tests/stack/two_hosts.hpp"

namespace handfast::serve {
namespace {

using stack::bytes_of;
using stack::Party;
using stack::TwoHosts;
using namespace std::chrono_literals;

constexpr HttpPatience kPatience{.head = 5s, .idle = 20s};
constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

class HttpServiceTest : public testing::Test {
 public:
  HttpServiceTest() {
    EXPECT_TRUE(hosts.server_worker().listen(at, service).has_value());
    neighbour.at_peer_finished = slow.at_peer_finished = [](Connection) {};
    open(neighbour);
    open(slow);
  }
  ~HttpServiceTest() override {
    // The neighbour has been served all the time; it says something now and then.
    EXPECT_TRUE(neighbour.closed.empty());
    EXPECT_EQ(pages(neighbour), asked);
  }
  void open(Party& party) {
    ASSERT_TRUE(hosts.client_worker().connect(at, party).has_value());
    ASSERT_TRUE(hosts.world.run_until([&] { return party.opened == 1; }, 1min));
  }
  // Runs for `duration`; the neighbour asks for the page every ten seconds.
  void run_for(Duration duration) {
    for (Duration passed{0}; passed < duration; passed += 1s) {
      if (second++ % 10 == 0) {
        (void)neighbour.last.send(bytes_of(kGet));
        ++asked;
      }
      hosts.world.run_for(1s);
    }
  }
  static std::size_t pages(const Party& party) {
    std::size_t found = 0;
    for (std::size_t from = party.received.find("200 OK"); from != std::string::npos;
         from = party.received.find("200 OK", from + 1)) {
      ++found;
    }
    return found;
  }

  const Endpoint at{TwoHosts::kServer.address, 8080};
  HttpService service{8, kPatience};
  Party neighbour;
  Party slow;
  TwoHosts hosts;
  std::size_t asked = 0;
  int second = 0;
};

TEST_F(HttpServiceTest, AHeadThatDripsIsAnsweredWith408) {
  for (int i = 0; i < 4; ++i) {
    (void)slow.last.send(bytes_of(kGet.substr(static_cast<std::size_t>(i), 1)));
    run_for(1s);
    ASSERT_EQ(slow.received, "") << i;
  }
  run_for(3s);
  EXPECT_TRUE(slow.received.starts_with("HTTP/1.1 408 ")) << slow.received;
  EXPECT_EQ(slow.peer_finished, 1);
}

// It has been told, does not close, and says something every second.
TEST_F(HttpServiceTest, WhoDoesNotCloseIsReset) {
  (void)slow.last.send(bytes_of("G"));
  run_for(7s);
  ASSERT_EQ(slow.peer_finished, 1);
  for (int i = 0; i < 22; ++i) {
    (void)slow.last.send(bytes_of("x"));
    run_for(1s);
  }
  EXPECT_EQ(slow.closed, std::vector{CloseReason::reset});
}

TEST_F(HttpServiceTest, EmptyLinesDoNotKeepAConnection) {
  for (int i = 0; i < 18; ++i) {
    (void)slow.last.send(bytes_of("\r\n"));
    run_for(1s);
    ASSERT_EQ(slow.peer_finished, 0) << i;
  }
  run_for(4s);
  EXPECT_EQ(slow.peer_finished, 1);
  EXPECT_EQ(slow.received, "");
}

TEST_F(HttpServiceTest, ABodyThatStopsIsReset) {
  (void)slow.last.send(bytes_of("PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab"));
  run_for(15s);
  (void)slow.last.send(bytes_of("c"));
  run_for(15s);  // it has moved meanwhile
  EXPECT_TRUE(slow.closed.empty());
  run_for(10s);
  EXPECT_EQ(slow.closed, std::vector{CloseReason::reset});
}

// A window that stays closed: nothing of the answer moves.
TEST_F(HttpServiceTest, AnAnswerThatNobodyReadsIsReset) {
  slow.at_data = [](Connection, Bytes) -> std::size_t { return 0; };
  (void)slow.last.send(bytes_of("GET /bytes/100000000 HTTP/1.1\r\nHost: a\r\n\r\n"));
  run_for(19s);
  EXPECT_TRUE(slow.closed.empty());
  run_for(5s);
  EXPECT_EQ(slow.closed, std::vector{CloseReason::reset});
}

TEST_F(HttpServiceTest, ALastAnswerThatNobodyReadsIsReset) {
  slow.at_data = [](Connection, Bytes) -> std::size_t { return 0; };
  (void)slow.last.send(bytes_of("GET /bytes/1000000 HTTP/1.0\r\n\r\n"));
  run_for(70s);
  EXPECT_EQ(slow.closed, std::vector{CloseReason::reset});
}

TEST_F(HttpServiceTest, WhoReadsSlowlyIsServed) {
  slow.at_data = [](Connection c, Bytes data) -> std::size_t {
    (void)c.set_timer(5s);
    return std::min<std::size_t>(data.size(), 100'000);
  };
  slow.at_timer = [](Connection c) { (void)c.resume_receive(); };
  (void)slow.last.send(bytes_of("GET /bytes/2000000 HTTP/1.0\r\n\r\n"));
  for (int i = 0; i < 300 && slow.peer_finished == 0; ++i) run_for(1s);
  EXPECT_GT(slow.received.size(), 2'000'000U);
  EXPECT_TRUE(slow.closed.empty());
}

}  // namespace
}  // namespace handfast::serve
