#include "tests/sim/soak/application.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace handfast::sim {

namespace {

// A pause of microseconds must not go on for the hours that a whim gives a dead peer.
Duration pause_of(const EndBook& book) {
  constexpr std::uint32_t kTimersAtOnePace = 256;
  constexpr std::uint32_t kDoublingsMax = 20;
  constexpr Duration kPauseMax = std::chrono::seconds(1);
  const auto doublings = std::min(book.idle_timers / kTimersAtOnePace, kDoublingsMax);
  return std::max(book.plan.pause, std::min(kPauseMax, book.plan.pause * (1 << doublings)));
}

}  // namespace

class Application::Callback {
 public:
  explicit Callback(Application& application) : application_(application) {
    if (application_.is_in_callback_) application_.journal_.fail("a callback within a callback");
    application_.is_in_callback_ = true;
  }
  Callback(const Callback&) = delete;
  Callback& operator=(const Callback&) = delete;
  ~Callback() { application_.is_in_callback_ = false; }

 private:
  Application& application_;
};

// --- from outside

void Application::connect(std::size_t number, std::size_t end, const Endpoint& remote,
                          const ConnectOptions& options) {
  EndBook& book = books_.at(number, end);
  if (std::exchange(book.has_called_connect, true)) return;
  ConnectOptions with_context = options;
  with_context.context = Books::context_of(number, end);
  const auto made = world_.worker(host_).connect(remote, *this, with_context);
  journal_.note(number, "{}: connect to {}: {}", Books::name_of(number, end), remote.to_string(),
                made ? "ok" : to_string(made.error()));
  if (!made) return;
  const auto info = made->info();
  book.is_active = true;
  book.connection = *made;
  book.key = {.local = info->local.address,
              .remote = info->remote.address,
              .local_port = info->local.port,
              .remote_port = info->remote.port};
  // It may send before it is open.
  if (book.is_fast || random_.below(3) == 0) send_on({number, end, &book}, *made);
}

void Application::connect_within(std::size_t number, std::size_t end, const Endpoint& remote,
                                 const ConnectOptions& options) {
  wishes_.push_back({number, end, remote, options});
}

void Application::grant_wish() {
  if (wishes_.empty()) return;
  const Wish wish = wishes_.back();
  wishes_.pop_back();
  connect(wish.number, wish.end, wish.remote, wish.options);
}

void Application::abort(std::size_t number, std::size_t end) {
  EndBook& book = books_.at(number, end);
  if (book.is_live()) abort({number, end, &book}, book.connection);
}

void Application::quit(std::size_t number, std::size_t end) {
  EndBook& book = books_.at(number, end);
  book.has_quit = true;
  drop_buffers();
  if (!book.is_live() || book.abort_called) return;
  const Subject subject{number, end, &book};
  journal_.note(number, "{}: quits", Books::name_of(number, end));
  (void)book.connection.resume_receive();
  send_on(subject, book.connection);
}

void Application::lose_all() {
  drop_buffers();
  books_.for_each_end([this](std::size_t, std::size_t, EndBook& book) {
    if (book.host == host_ && book.is_live()) book.is_lost = true;
  });
}

// --- callbacks

Application::Subject Application::subject_of(Connection connection) {
  const std::uint64_t context = connection.context();
  if (context == 0 || (context - 1) / 2 >= books_.size()) {
    journal_.fail("host {}: a callback for a connection that nobody knows", host_);
    return {0, 0, nullptr};
  }
  const std::size_t number = (context - 1) / 2;
  const std::size_t end = (context - 1) % 2;
  return {number, end, &books_.at(number, end)};
}

bool Application::begin(const Subject& subject, Connection connection, const char* event) {
  if (subject.book == nullptr) return false;
  EndBook& book = *subject.book;
  const std::string_view name = event;
  journal_.note(subject.number * 8 + subject.end * 4 + name.size(), "{}: {}",
                Books::name_of(subject.number, subject.end), name);
  if (book.host != host_) journal_.fail("a callback on another host's connection");
  if (book.closed > 0) {
    journal_.fail("{}: {} after on_closed", Books::name_of(subject.number, subject.end), name);
  }
  if (book.abort_called && name != "closed") {
    journal_.fail("{}: {} after abort()", Books::name_of(subject.number, subject.end), name);
  }
  // Timers and room for more text are there before.
  if (book.opened == 0 && (name == "data" || name == "peer_finished")) {
    journal_.fail("{}: {} before on_open", Books::name_of(subject.number, subject.end), name);
  }
  if (!(book.connection == connection)) {
    journal_.fail("{}: another reference than at first",
                  Books::name_of(subject.number, subject.end));
  }
  grant_wish();
  ++book.callbacks;
  if (book.plan.aborts_in == book.callbacks && name != "closed") abort(subject, connection);
  if (book.abort_called) return false;
  if (name != "closed") act_on_whim(subject, connection);
  return !book.abort_called;
}

EndBook* Application::accept(Connection connection) {
  ++accepted_;
  const auto info = connection.info();
  const std::size_t number = info ? books_.number_of(info->remote, host_) : books_.size();
  // Its client has given up meanwhile, or this is the text of a SYN once more (RFC 7413 section
  // 2.1), or a cookie that is still good when what it opened is gone (RFC 4987 section 3.6): nobody
  // is there to talk to.
  const bool is_known = number < books_.size();
  EndBook* const book = is_known ? &books_.at(number, kServerEnd) : nullptr;
  const bool may_come_again =
      book != nullptr &&
      (book->is_fast || world_.worker(host_).counters().syn_cookies_received > 0);
  if (book == nullptr || (may_come_again && book->opened > 0)) {
    journal_.note(1, "host {}: opened for a client that is gone", host_);
    connection.set_context(0);
    (void)connection.abort();
    return nullptr;
  }
  connection.set_context(Books::context_of(number, kServerEnd));
  if (!book->is_lost) {
    book->connection = connection;
    book->key = {.local = info->local.address,
                 .remote = info->remote.address,
                 .local_port = info->local.port,
                 .remote_port = info->remote.port};
  }
  return book;
}

void Application::on_open(Connection connection) {
  const Callback callback(*this);
  if (connection.context() == 0 && accept(connection) == nullptr) return;
  const Subject subject = subject_of(connection);
  if (subject.book == nullptr) return;
  if (subject.book->is_lost) {  // a handshake that outlived the host's restart
    (void)connection.abort();
    return;
  }
  if (++subject.book->opened > 1) {
    journal_.fail("{}: announced twice", Books::name_of(subject.number, subject.end));
  }
  if (!begin(subject, connection, "open")) return;
  send_on(subject, connection);
}

std::size_t Application::on_data(Connection connection, Bytes data) {
  const Callback callback(*this);
  if (connection.context() == 0) return data.size();
  const Subject subject = subject_of(connection);
  if (!begin(subject, connection, "data")) return 0;
  if (data.empty()) journal_.fail("on_data without data");
  if (subject.book->peer_finished > 0) journal_.fail("on_data after on_peer_finished");
  const std::size_t took = read(subject, connection, data);
  if (took > 0) compare(subject, data.first(took));
  subject.book->received += static_cast<std::uint32_t>(took);
  if (subject.book->plan.sending == Sending::reactive && !subject.book->abort_called) {
    send_on(subject, connection);
  }
  return took;
}

void Application::on_urgent(Connection connection) {
  const Callback callback(*this);
  if (connection.context() == 0) return;
  const Subject subject = subject_of(connection);
  if (subject.book == nullptr) return;
  EndBook& book = *subject.book;
  const std::vector<std::uint32_t>& marks = books_.at(subject.number, 1 - subject.end).marks;
  const auto mark = static_cast<std::uint32_t>(book.received + connection.urgent_bytes());
  // The field of the header reaches so far, and then the mark is told of in steps.
  constexpr std::uint32_t kPointerMax = 65'535;
  const bool is_step = mark >= kPointerMax && !marks.empty() && mark < marks.back();
  if (!is_step && std::ranges::find(marks, mark) == marks.end()) {
    journal_.fail("{}: byte {} is marked as urgent, and was not",
                  Books::name_of(subject.number, subject.end), mark);
  } else if (mark <= book.told_mark || mark <= book.received) {
    journal_.fail("{}: told of a mark that it knows", Books::name_of(subject.number, subject.end));
  }
  book.told_mark = std::max(book.told_mark, mark);
  if (begin(subject, connection, "urgent")) send_on(subject, connection);
}

void Application::on_writable(Connection connection) {
  const Callback callback(*this);
  if (connection.context() == 0) return;
  const Subject subject = subject_of(connection);
  if (begin(subject, connection, "writable")) send_on(subject, connection);
}

void Application::on_peer_finished(Connection connection) {
  const Callback callback(*this);
  if (connection.context() == 0) return;
  const Subject subject = subject_of(connection);
  if (subject.book == nullptr) return;
  if (++subject.book->peer_finished > 1) {
    journal_.fail("{}: the peer finished twice", Books::name_of(subject.number, subject.end));
  }
  const EndBook& peer = books_.at(subject.number, 1 - subject.end);
  if (!peer.close_called && !peer.is_lost) {
    journal_.fail("{}: the peer finished, and had not closed",
                  Books::name_of(subject.number, subject.end));
  } else if (peer.sent != subject.book->received) {
    journal_.fail("{}: the peer finished after {} bytes and had sent {}",
                  Books::name_of(subject.number, subject.end), subject.book->received, peer.sent);
  }
  if (begin(subject, connection, "peer_finished")) send_on(subject, connection);
}

void Application::on_timer(Connection connection) {
  const Callback callback(*this);
  if (connection.context() == 0) return;
  const Subject subject = subject_of(connection);
  if (subject.book == nullptr) return;
  EndBook& book = *subject.book;
  const Instant now = world_.worker(host_).now();
  if (now < book.timer_at) {
    journal_.fail("{}: on_timer {} us early", Books::name_of(subject.number, subject.end),
                  book.timer_at.is_never() ? -1 : (book.timer_at - now).count() / 1000);
  }
  book.timer_at = Instant::never();
  const std::uint32_t moved = book.sent + book.received;
  book.idle_timers = moved == book.moved_at_timer ? book.idle_timers + 1 : 0;
  book.moved_at_timer = moved;
  book.has_left_text = false;
  if (!begin(subject, connection, "timer")) return;
  if (const auto resumed = connection.resume_receive(); !resumed) {
    journal_.fail("{}: resume_receive: {}", Books::name_of(subject.number, subject.end),
                  to_string(resumed.error()));
  }
  send_on(subject, connection);
  want_timer(book, connection);
}

void Application::on_closed(Connection connection, CloseReason reason) {
  const Callback callback(*this);
  if (connection.context() == 0) return;
  const Subject subject = subject_of(connection);
  if (subject.book == nullptr || subject.book->is_lost) return;
  journal_.note(static_cast<std::uint64_t>(reason), "{}: closed: {}",
                Books::name_of(subject.number, subject.end), to_string(reason));
  begin(subject, connection, "closed");
  ++subject.book->closed;
  subject.book->reason = reason;
  subject.book->closed_at = world_.now();
  subject.book->was_complained_of |= has_complaint(connection);
  expect_stale(subject, connection);
}

// --- sending

void Application::send_on(const Subject& subject, Connection connection) {
  EndBook& book = *subject.book;
  const EndPlan& plan = book.plan;
  if (book.close_called || book.abort_called) return;
  std::uint32_t target = plan.bytes;
  const bool waits_for_peer = book.peer_finished == 0 && !book.has_quit;
  if (plan.sending == Sending::reactive && waits_for_peer) {
    target = std::min(target, book.received);
  }
  if (plan.sending == Sending::dribble && !book.has_quit) {
    target = std::min(target, book.sent + plan.piece);
  }
  const Bytes stream = books_.stream(subject.number, subject.end);
  while (book.sent < target && !book.abort_called) {
    const std::size_t length =
        plan.uses_buffers ? std::min(target - book.sent, plan.piece) : target - book.sent;
    if (!send_piece(subject, connection, stream.subspan(book.sent, length))) break;
  }
  want_timer(book, connection);
  close_if_time(subject, connection);
}

// False: not all of it was taken.
bool Application::send_piece(const Subject& subject, Connection connection, Bytes piece) {
  EndBook& book = *subject.book;
  if (book.plan.uses_buffers) {
    auto buffer = world_.worker(host_).allocate_buffer();
    if (buffer) {
      buffer->resize(std::min(piece.size(), buffer->capacity()));
      piece = piece.first(buffer->size());
      std::memcpy(buffer->bytes().data(), piece.data(), piece.size());
      if (connection.send(std::move(*buffer))) {
        book.sent += static_cast<std::uint32_t>(piece.size());
        return true;
      }
    }
    // Without buffers, or room for a whole one: as others do.
  }
  const bool is_urgent = book.plan.urgent > 0 && random_.chance(book.plan.urgent);
  const auto taken = is_urgent ? connection.send_urgent(piece) : connection.send(piece);
  if (!taken) {
    journal_.fail("{}: send: {}", Books::name_of(subject.number, subject.end),
                  to_string(taken.error()));
    return false;
  }
  book.sent += static_cast<std::uint32_t>(*taken);
  if (is_urgent && *taken > 0) book.marks.push_back(book.sent);
  return *taken == piece.size();
}

void Application::close_if_time(const Subject& subject, Connection connection) {
  const EndBook& book = *subject.book;
  if (book.sent < book.plan.bytes || book.abort_called) return;
  // close() in SYN-SENT would end the attempt.
  if (book.opened == 0) return;
  switch (book.plan.closing) {
    case Closing::when_sent:
    case Closing::within:
      return close(subject, connection);
    case Closing::when_peer_finished:
      if (book.peer_finished > 0) close(subject, connection);
      return;
    case Closing::at_quit:
      if (book.has_quit) close(subject, connection);
      return;
  }
}

void Application::close(const Subject& subject, Connection connection) {
  EndBook& book = *subject.book;
  book.lingers = book.plan.closing == Closing::within;
  book.close_called = true;
  const auto closed =
      book.lingers ? connection.close_within(book.plan.patience) : connection.close();
  journal_.note(subject.number, "{}: calls close", Books::name_of(subject.number, subject.end));
  if (!closed) {
    journal_.fail("{}: close: {}", Books::name_of(subject.number, subject.end),
                  to_string(closed.error()));
  }
}

void Application::abort(const Subject& subject, Connection connection) {
  journal_.note(subject.number, "{}: calls abort", Books::name_of(subject.number, subject.end));
  if (subject.book->abort_called) return;
  subject.book->abort_called = true;
  if (const auto aborted = connection.abort(); !aborted) {
    journal_.fail("{}: abort: {}", Books::name_of(subject.number, subject.end),
                  to_string(aborted.error()));
  }
}

void Application::want_timer(EndBook& book, Connection connection) {
  const bool dribbles = book.plan.sending == Sending::dribble && book.sent < book.plan.bytes;
  if ((!dribbles && !book.has_left_text) || book.abort_called || !book.timer_at.is_never()) return;
  const Duration pause = pause_of(book);
  if (!connection.set_timer(pause)) return;
  book.timer_at = world_.worker(host_).now() + pause;
}

// --- receiving

std::size_t Application::read(const Subject& subject, Connection connection, Bytes data) {
  const EndBook& book = *subject.book;
  if (book.has_quit) return data.size();
  const std::size_t some = std::min<std::size_t>(data.size(), book.plan.piece);
  switch (book.plan.reading) {
    case Reading::eager:
      return data.size();
    case Reading::partly:
      subject.book->has_left_text = some < data.size();
      want_timer(*subject.book, connection);
      return some;
    case Reading::again:
      (void)connection.resume_receive();
      return some;
    case Reading::retain: {
      if (random_.below(4) == 0 || retained_.size() == kRetainedMax) drop_buffers();
      auto buffer = connection.retain();
      if (!buffer) {
        journal_.fail("{}: retain: {}", Books::name_of(subject.number, subject.end),
                      to_string(buffer.error()));
      } else if (buffer->bytes().data() != data.data() || buffer->size() != data.size()) {
        journal_.fail("{}: retain() gave other bytes", Books::name_of(subject.number, subject.end));
      } else {
        retained_.push_back(std::move(*buffer));
      }
      return data.size();
    }
    case Reading::never:
      return 0;
  }
  return data.size();
}

void Application::compare(const Subject& subject, Bytes data) {
  const EndBook& book = *subject.book;
  const Bytes expected = books_.stream(subject.number, 1 - subject.end).subspan(book.received);
  const EndBook& peer = books_.at(subject.number, 1 - subject.end);
  if (data.size() > peer.sent - book.received) {
    journal_.fail("{}: {} bytes more than were sent", Books::name_of(subject.number, subject.end),
                  data.size() - (peer.sent - book.received));
    return;
  }
  const auto [wrong, right] = std::ranges::mismatch(data, expected.first(data.size()));
  if (wrong == data.end()) return;
  journal_.fail("{}: byte {} is wrong", Books::name_of(subject.number, subject.end),
                book.received + static_cast<std::size_t>(wrong - data.begin()));
}

}  // namespace handfast::sim
