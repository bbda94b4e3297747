// What an application does for no reason: any call at any moment, and what it must answer.

#include <array>
#include <chrono>

#include "tests/sim/soak/application.hpp"

namespace handfast::sim {

using namespace std::chrono_literals;

void Application::act_on_whim(const Subject& subject, Connection connection) {
  const double whim = subject.book->plan.whim;
  while (whim > 0 && random_.chance(whim) && !subject.book->abort_called) {
    switch (random_.below(4)) {
      case 0:
        ask_something(subject, connection);
        break;
      case 1:
        meddle_with_another(connection);
        break;
      default:
        change_something(subject, connection);
        break;
    }
  }
}

void Application::change_something(const Subject& subject, Connection connection) {
  EndBook& book = *subject.book;
  constexpr std::array kAlgorithms{CongestionControl::new_reno, CongestionControl::cubic,
                                   CongestionControl::bbr, CongestionControl::none};
  switch (random_.below(9)) {
    case 0: {
      const Duration after{static_cast<std::int64_t>(random_.below(20'000'000))};
      if (connection.set_timer(after)) book.timer_at = world_.worker(host_).now() + after;
      break;
    }
    case 1:
      (void)connection.set_timer(Duration::max());
      book.timer_at = Instant::never();
      want_timer(book, connection);
      break;
    case 2:
      (void)connection.set_nagle(random_.below(2) == 0);
      break;
    case 3:
      (void)connection.set_user_timeout(90min);
      break;
    case 4:
      (void)connection.set_keep_alive(random_.below(2) == 0 ? Duration(0) : Duration(2h));
      break;
    case 5:
      (void)connection.set_congestion_control(kAlgorithms[random_.below(kAlgorithms.size())]);
      break;
    case 6:
      (void)connection.resume_receive();
      if (book.sent < book.plan.bytes && !book.close_called) send_on(subject, connection);
      break;
    case 7:
      if (book.close_called && !connection.close()) journal_.fail("close() twice is an error");
      break;
    case 8:
      // Half of what is still to be sent is enough; what follows is for the peer to finish.
      if (book.opened > 0 && !book.close_called && random_.below(8) == 0)
        close(subject, connection);
      break;
  }
}

void Application::ask_something(const Subject& subject, Connection connection) {
  const EndBook& book = *subject.book;
  const std::array<std::byte, 1> byte{};
  const auto info = connection.info();
  if (!info || !connection.is_alive()) {
    journal_.fail("{}: is not alive in a callback", Books::name_of(subject.number, subject.end));
    return;
  }
  if (info->local.port != book.key.local_port || info->remote.port != book.key.remote_port) {
    journal_.fail("{}: info() is of another connection",
                  Books::name_of(subject.number, subject.end));
  }
  if (connection.bytes_queued() > book.sent + 1U) {
    journal_.fail("{}: {} bytes queued, {} sent", Books::name_of(subject.number, subject.end),
                  connection.bytes_queued(), book.sent);
  }
  if (book.close_called) {
    const auto sent = connection.send(byte);
    if (sent || sent.error() != Error::wrong_state)
      journal_.fail("send() after close() is allowed");
  } else if (const auto sent = connection.send(std::span<const std::byte>{}); !sent || *sent != 0) {
    journal_.fail("send() of nothing is not nothing");
  }
  const EndBook& peer = books_.at(subject.number, 1 - subject.end);
  if (connection.urgent_bytes() != 0 &&
      (peer.marks.empty() || book.received + connection.urgent_bytes() > peer.marks.back())) {
    journal_.fail("urgent bytes that nobody sent");
  }
  books_.at(subject.number, subject.end).was_complained_of |= has_complaint(connection);
  (void)world_.worker(host_).state_counts();
}

bool Application::has_complaint(Connection connection) {
  const NetworkError said = connection.network_error();
  // The second is what the stack finds out by itself.
  return said != NetworkError::none && said != NetworkError::next_hop_silent;
}

void Application::meddle_with_another(Connection connection) {
  const std::size_t number = random_.below(books_.size());
  const std::size_t end = random_.below(2);
  EndBook& other = books_.at(number, end);
  if (other.host != host_ || !other.is_live() || other.connection == connection) return;
  if (other.abort_called) return expect_stale({number, end, &other}, other.connection);
  const Subject subject{number, end, &other};
  switch (random_.below(4)) {
    case 0:
      (void)other.connection.resume_receive();
      break;
    case 1:
      if (random_.below(10) == 0) abort(subject, other.connection);
      break;
    default:
      send_on(subject, other.connection);
      break;
  }
}

// One that has ended, or was aborted, answers no more.
void Application::expect_stale(const Subject& subject, Connection connection) {
  const std::array<std::byte, 1> byte{};
  const bool is_stale = !connection.is_alive() && !connection.send(byte) && !connection.close() &&
                        !connection.abort() && !connection.resume_receive() &&
                        !connection.retain() && !connection.info() && !connection.set_timer(1ms) &&
                        !connection.set_nagle(true) && !connection.set_keep_alive() &&
                        !connection.set_user_timeout(1s) && !connection.close_within(1s) &&
                        connection.bytes_queued() == 0;
  if (!is_stale) {
    journal_.fail("{}: has ended, and answers", Books::name_of(subject.number, subject.end));
  }
}

}  // namespace handfast::sim
