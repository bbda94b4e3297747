// Application: what runs on one host of a soak run, at either end of all its connections. It does
// what their plans say, and on a whim any call at any moment; it compares what it receives byte by
// byte, and what calls answer with what they should. What it sees goes into the Books.
#pragma once

#include <vector>

#include "base/random.hpp"
#include "handfast/handler.hpp"
#include "tests/sim/soak/books.hpp"
#include "tests/sim/soak/journal.hpp"
#include "tests/sim/world.hpp"

namespace handfast::sim {

class Application {
 public:
  Application(std::size_t host, World& world, Books& books, Journal& journal, std::uint64_t seed)
      : host_(host), world_(world), books_(books), journal_(journal), random_(seed) {}

  // Called from outside, between turns.
  void connect(std::size_t number, std::size_t end, const Endpoint& remote,
               const ConnectOptions& options);
  // The same within the next callback, unless it has been called by then.
  void connect_within(std::size_t number, std::size_t end, const Endpoint& remote,
                      const ConnectOptions& options);
  void abort(std::size_t number, std::size_t end);
  // Reads on, sends the rest, and closes if it has not.
  void quit(std::size_t number, std::size_t end);
  // The host's stack is about to go without a word.
  void lose_all();
  void drop_buffers() { retained_.clear(); }

  void on_open(Connection connection);
  std::size_t on_data(Connection connection, Bytes data);
  void on_urgent(Connection connection);
  void on_writable(Connection connection);
  void on_peer_finished(Connection connection);
  void on_timer(Connection connection);
  void on_closed(Connection connection, CloseReason reason);

  // Connections that on_open announced, those nobody knows of among them.
  std::uint64_t accepted() const { return accepted_; }

 private:
  static constexpr std::size_t kRetainedMax = 16;

  // The end that a callback is about; its number, and the Books' entry.
  struct Subject {
    std::size_t number;
    std::size_t end;
    EndBook* book;
  };
  struct Wish {
    std::size_t number;
    std::size_t end;
    Endpoint remote;
    ConnectOptions options;
  };
  // For the time of a callback: there may be one only.
  class Callback;

  Subject subject_of(Connection connection);
  // False: nothing more is to be done in this callback.
  bool begin(const Subject& subject, Connection connection, const char* event);
  void send_on(const Subject& subject, Connection connection);
  // Of a connection that on_open announces; null when nobody is to hear of it.
  EndBook* accept(Connection connection);
  void grant_wish();
  bool send_piece(const Subject& subject, Connection connection, Bytes piece);
  void close_if_time(const Subject& subject, Connection connection);
  void close(const Subject& subject, Connection connection);
  void abort(const Subject& subject, Connection connection);
  // Has it called when something is left to do.
  void want_timer(EndBook& book, Connection connection);
  std::size_t read(const Subject& subject, Connection connection, Bytes data);
  void compare(const Subject& subject, Bytes data);

  // whims.cpp
  void act_on_whim(const Subject& subject, Connection connection);
  void change_something(const Subject& subject, Connection connection);
  void ask_something(const Subject& subject, Connection connection);
  // Whether somebody said by ICMP that the path is not what it should be.
  static bool has_complaint(Connection connection);
  void meddle_with_another(Connection connection);
  void expect_stale(const Subject& subject, Connection connection);

  std::size_t host_;
  World& world_;
  Books& books_;
  Journal& journal_;
  base::Random random_;
  bool is_in_callback_ = false;
  std::vector<Buffer> retained_;
  std::vector<Wish> wishes_;
  std::uint64_t accepted_ = 0;
};

}  // namespace handfast::sim
