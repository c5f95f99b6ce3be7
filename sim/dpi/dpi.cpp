// The C interface: arguments checked, exceptions turned into messages.
#include <algorithm>
#include <optional>
#include <sstream>

#include "formats/error.h"
#include "formats/value_text.h"
#include "sim/dpi/accsim_dpi.h"
#include "sim/dpi/bench_unit.h"
#include "sim/dpi/create_unit.h"
#include "sim/dpi/packed_codes.h"

namespace {

using accsim::InputError;
using accsim::formats::Code;
using accsim::formats::code_bits;
using accsim::formats::Format;
using accsim::sim::checked;
using accsim::sim::unpacked;
using accsim::sim::word;
using Unit = accsim::sim::BenchUnit;

constexpr int failed = -1;
/// The message of a failed call without a unit.
std::string& error_without_unit() {
  thread_local std::string error;
  return error;
}

/// Runs `call` on the unit; a null handle and exceptions become a message and a negative result.
template <class Call>
int guarded(void* handle, Call&& call) noexcept {
  auto* unit = static_cast<Unit*>(handle);
  try {
    if (unit == nullptr) throw InputError("unit", "a null handle", "what accsim_create returned");
    return call(*unit);
  } catch (const std::exception& error) {
    (unit != nullptr ? unit->error : error_without_unit()) = error.what();
  } catch (...) {
    (unit != nullptr ? unit->error : error_without_unit()) = "an unknown error";
  }
  return failed;
}

std::string_view text_of(const char* text, const char* what) {
  if (text == nullptr) throw InputError(what, "a null pointer", "a string");
  return text;
}

int bits(const Unit& unit, const std::string& what) {
  const accsim::sim::IssueModel& model = unit.model();
  if (what == "a") return code_bits(model.a_format());
  if (what == "b") return code_bits(model.b_format());
  if (what == "acc_in") return code_bits(model.in_format());
  if (what == "acc_out") return code_bits(model.out_format());
  if (what == "product") return model.product_format() ? code_bits(*model.product_format()) : 0;
  if (what == "terms") return static_cast<int>(unit.terms_of_issue());
  if (what == "units") return static_cast<int>(unit.units());
  throw InputError("what", "\"" + what + "\"", "a, b, acc_in, acc_out, product, terms, units");
}

accsim::sim::UnitControl control_of(int control) {
  constexpr int known = ACCSIM_RESET | ACCSIM_VALID | ACCSIM_FIRST | ACCSIM_LAST | ACCSIM_SUB | ACCSIM_STALL | ACCSIM_ACC_IN;
  const int rm = (control >> 8) & 7;
  if ((control & ~known & ~0x700) != 0 || rm > 6)
    throw InputError("control", std::to_string(control),
                     "a sum of ACCSIM_RESET, _VALID, _FIRST, _LAST, _SUB, _STALL, _ACC_IN and one of _RM_...");
  const auto has = [&](int bit) { return (control & bit) != 0; };
  accsim::sim::UnitControl c;
  c.reset = has(ACCSIM_RESET);
  c.valid = !c.reset && has(ACCSIM_VALID);
  c.first = has(ACCSIM_FIRST);
  c.last = has(ACCSIM_LAST);
  c.subtract = has(ACCSIM_SUB);
  c.ready = !has(ACCSIM_STALL);
  if (rm > 0) c.rm = accsim::sim::rounding_of_code[static_cast<std::size_t>(rm - 1)];
  return c;
}

void require(const void* pointer, const char* what) {
  if (pointer == nullptr) throw InputError(what, "a null pointer", "a place for the result");
}

Code accumulator_of(const std::uint32_t* words, const accsim::sim::IssueModel& model) {
  require(words, "acc_in");
  Code c = 0;
  for (int i = 3; i >= 0; --i) c = (c << 32) | words[i];
  return checked(c, model.in_format(), "acc_in");
}

/// `count` codes in planes of 32 bits (of `units` words each), none wider than its format.
const std::uint32_t* checked_words(const accsim::sim::ClockedUnit& unit, const std::uint32_t* words, std::int64_t terms,
                                   const Format& format, const char* what) {
  const std::int64_t units = unit.units();
  const std::int64_t count = terms * units;
  require(words, what);
  const int bits = code_bits(format);
  const int planes = (bits + 31) / 32;
  if (bits % 32 == 0) return words;
  const std::uint32_t above = ~((1U << (bits % 32)) - 1U);
  bool wide = false;
  for (std::int64_t first = 0; first < count; first += units)
    wide |= unit.has_any(words + first * planes + (planes - 1) * units, units, above);
  if (wide) throw InputError(what, "a code of more than " + std::to_string(bits) + " bits", "codes of " + format.name);
  return words;
}

}  // namespace

extern "C" {

int accsim_version(void) { return ACCSIM_DPI_VERSION; }

void* accsim_create(int version, const char* datapath, const char* options) {
  try {
    if (version != ACCSIM_DPI_VERSION)
      throw InputError("version", std::to_string(version), std::to_string(ACCSIM_DPI_VERSION) + ", that of this library");
    return accsim::sim::create_unit(std::string(text_of(datapath, "datapath")), options == nullptr ? "" : options).release();
  } catch (const std::exception& error) {
    error_without_unit() = error.what();
  } catch (...) {
    error_without_unit() = "an unknown error";
  }
  return nullptr;
}

void accsim_destroy(void* unit) { delete static_cast<Unit*>(unit); }

const char* accsim_last_error(void* unit) { return (unit != nullptr ? static_cast<Unit*>(unit)->error : error_without_unit()).c_str(); }

int accsim_reset(void* handle) {
  return guarded(handle, [](Unit& unit) {
    unit.reset();
    return 0;
  });
}

int accsim_bits(void* handle, const char* what) {
  return guarded(handle, [&](Unit& unit) { return bits(unit, std::string(text_of(what, "what"))); });
}

int accsim_scales(void* handle, int a_blocks, const uint32_t* a, int b_blocks, const uint32_t* b) {
  return guarded(handle, [&](Unit& unit) {
    const auto scales = [](const std::optional<accsim::formats::BlockFormat>& format, int blocks, const std::uint32_t* words,
                           const char* what) {
      if (blocks == 0) return std::vector<Code>{};
      if (!format) throw InputError(what, "scales of an operand without a block format", "0 blocks");
      return unpacked(words, blocks, format->scale, what);
    };
    unit.set_scales(scales(unit.model().a_blocks(), a_blocks, a, "a"), scales(unit.model().b_blocks(), b_blocks, b, "b"));
    return 0;
  });
}

int accsim_mac(void* handle, uint64_t a, uint64_t b, uint64_t acc_in, uint64_t* acc_out) {
  return guarded(handle, [&](Unit& unit) {
    require(acc_out, "acc_out");
    accsim::sim::IssueModel& model = unit.model();
    const Code x = checked(a, model.a_format(), "a");
    const Code y = checked(b, model.b_format(), "b");
    const Code c = checked(acc_in, model.in_format(), "acc_in");
    const accsim::sim::IssueResult r = model.run({.a = std::span(&x, 1),
                                                  .b = std::span(&y, 1),
                                                  .a_scales = unit.a_scales(),
                                                  .b_scales = unit.b_scales(),
                                                  .accumulator = c,
                                                  .subtract = false,
                                                  .row = 0});
    *acc_out = word(r.accumulator, model.out_format());
    return static_cast<int>(r.flags);
  });
}

int accsim_step(void* handle, int first, uint64_t a, uint64_t b, uint64_t* acc_out) {
  return guarded(handle, [&](Unit& unit) {
    require(acc_out, "acc_out");
    const accsim::sim::IssueModel& model = unit.model();
    const accsim::sim::IssueResult r = unit.step(first != 0, {checked(a, model.a_format(), "a")}, {checked(b, model.b_format(), "b")});
    *acc_out = word(r.accumulator, model.out_format());
    return static_cast<int>(r.flags);
  });
}

int accsim_row(void* handle, int terms, const uint32_t* a, const uint32_t* b, const uint32_t* acc_in, uint32_t* acc_out) {
  return guarded(handle, [&](Unit& unit) {
    require(acc_out, "acc_out");
    accsim::sim::IssueModel& model = unit.model();
    const std::vector<Code> x = unpacked(a, terms, model.a_format(), "a");
    const std::vector<Code> y = unpacked(b, terms, model.b_format(), "b");
    const accsim::sim::IssueResult r = model.run({.a = x,
                                                  .b = y,
                                                  .a_scales = unit.a_scales(),
                                                  .b_scales = unit.b_scales(),
                                                  .accumulator = accumulator_of(acc_in, model),
                                                  .subtract = false,
                                                  .row = 0});
    for (int i = 0; i < 4; ++i) acc_out[i] = static_cast<std::uint32_t>(r.accumulator >> (32 * i));
    return static_cast<int>(r.flags);
  });
}

int accsim_total(void* handle, uint64_t* out) {
  return guarded(handle, [&](Unit& unit) {
    require(out, "out");
    *out = word(unit.total(), unit.datapath().result_format());
    return 0;
  });
}

int accsim_clock(void* handle, int reset, int in_valid, int first, uint64_t a, uint64_t b) {
  return guarded(handle, [&](Unit& unit) {
    const accsim::sim::IssueModel& model = unit.model();
    accsim::sim::UnitControl control;
    control.reset = reset != 0;
    control.valid = !control.reset && in_valid != 0;
    control.first = first != 0;
    const bool takes = control.valid;
    unit.clock(control, takes ? checked(a, model.a_format(), "a") : 0, takes ? checked(b, model.b_format(), "b") : 0);
    return static_cast<int>(unit.clocked(0).result() != nullptr);
  });
}

int accsim_clock_row(void* handle, int reset, int in_valid, int first, int terms, const uint32_t* a, const uint32_t* b) {
  const int control = (reset != 0 ? ACCSIM_RESET : 0) | (in_valid != 0 ? ACCSIM_VALID : 0) | (first != 0 ? ACCSIM_FIRST : 0);
  return accsim_clock_control(handle, control, terms, a, b, nullptr);
}

int accsim_clock_control(void* handle, int control, int terms, const uint32_t* a, const uint32_t* b, const uint32_t* acc_in) {
  return guarded(handle, [&](Unit& unit) {
    const accsim::sim::IssueModel& model = unit.model();
    accsim::sim::UnitInputs in;
    static_cast<accsim::sim::UnitControl&>(in) = control_of(control);
    if (in.valid) {
      in.a = unpacked(a, terms, model.a_format(), "a");
      in.b = unpacked(b, terms, model.b_format(), "b");
      if ((control & ACCSIM_ACC_IN) != 0) in.accumulator = accumulator_of(acc_in, model);
    }
    unit.clock(in);
    return static_cast<int>(unit.clocked(0).result() != nullptr);
  });
}

int accsim_clock_batch(void* handle, int control, int terms, const uint32_t* a, const uint32_t* b, const uint32_t* acc_in) {
  return guarded(handle, [&](Unit& unit) {
    const accsim::sim::IssueModel& model = unit.model();
    const accsim::sim::UnitControl in = control_of(control);
    accsim::sim::BatchOperands operands;
    if (in.valid) {
      if (terms < 1) throw InputError("terms", std::to_string(terms), "at least 1");
      const accsim::sim::ClockedUnit& clocked = unit.clocked(terms);
      operands.terms = static_cast<std::size_t>(terms);
      operands.a = checked_words(clocked, a, terms, model.a_format(), "a");
      operands.b = checked_words(clocked, b, terms, model.b_format(), "b");
      if ((control & ACCSIM_ACC_IN) != 0) operands.accumulator = checked_words(clocked, acc_in, 1, model.in_format(), "acc_in");
    }
    unit.clock(in, operands);
    return static_cast<int>(unit.clocked(0).result() != nullptr);
  });
}

int accsim_batch_results(void* handle, uint32_t* acc, uint32_t* flags) {
  return guarded(handle, [&](Unit& unit) {
    const accsim::sim::UnitItem* item = unit.clocked(0).result();
    if (item == nullptr) return 0;
    require(acc, "acc");
    for (int plane = 0; plane < item->row.result.planes(); ++plane)
      std::copy_n(item->row.result.words(plane), unit.units(), acc + plane * unit.units());
    if (flags != nullptr) std::copy_n(item->row.flags.words(), unit.units(), flags);
    return 1;
  });
}

int accsim_batch_check(void* handle, const uint32_t* acc) {
  return guarded(handle, [&](Unit& unit) {
    require(acc, "acc");
    return static_cast<int>(unit.check_results(acc));
  });
}

int accsim_clock_array(void* handle, int control, const uint32_t* a, const uint32_t* b) {
  return guarded(handle, [&](Unit& unit) {
    const accsim::sim::UnitControl in = control_of(control);
    accsim::sim::ClockedArray& array = unit.array();
    std::vector<Code> x;
    std::vector<Code> y;
    if (in.valid) {
      x = unpacked(a, static_cast<int>(array.rows()), unit.model().a_format(), "a");
      y = unpacked(b, static_cast<int>(array.cols()), unit.model().b_format(), "b");
    }
    unit.clock_array(in, x, y);
    return static_cast<int>(!array.leaving().empty());
  });
}

int accsim_array_check(void* handle, int valid, const uint32_t* sums) {
  return guarded(handle, [&](Unit& unit) {
    std::vector<Code> found;
    if (valid != 0) found = unpacked(sums, static_cast<int>(unit.array().cols()), unit.model().out_format(), "sums");
    return static_cast<int>(unit.check_array(found));
  });
}

int accsim_array_results(void* handle, uint32_t* sums) {
  return guarded(handle, [&](Unit& unit) {
    const std::vector<Code>& row = unit.array().leaving();
    if (row.empty()) return 0;
    require(sums, "sums");
    const int bits = code_bits(unit.model().out_format());
    const int all = bits * static_cast<int>(row.size());
    if (all > ACCSIM_DPI_BITS) throw InputError("sums", std::to_string(all) + " bits", "at most " + std::to_string(ACCSIM_DPI_BITS));
    std::fill_n(sums, ACCSIM_DPI_BITS / 32, 0U);
    for (int i = 0; i < all; ++i)
      sums[i / 32] |= static_cast<std::uint32_t>((row[static_cast<std::size_t>(i / bits)] >> (i % bits)) & 1U) << (i % 32);
    return 1;
  });
}

int accsim_clock_online(void* handle, int control, uint64_t x_plus, uint64_t x_minus, uint64_t y_plus, uint64_t y_minus,
                        const uint32_t* parallel) {
  return guarded(handle, [&](Unit& unit) {
    const accsim::sim::UnitControl in = control_of(control);
    const accsim::sim::online::Unit& shape = unit.online().shape();
    std::vector<accsim::sim::online::Int128> y;
    if (in.first && shape.multiplier == accsim::sim::OnlineMultiplier::serial_parallel) {
      const Format& format = unit.model().b_format();
      const accsim::formats::FixedFormat& fixed = *format.as_fixed();
      for (const Code code : unpacked(parallel, static_cast<int>(shape.terms), format, "parallel"))
        y.push_back(fixed.is_signed && ((code >> (fixed.width - 1)) & 1U) != 0
                        ? static_cast<accsim::sim::online::Int128>(code) - (accsim::sim::online::Int128{1} << fixed.width)
                        : static_cast<accsim::sim::online::Int128>(code));
    }
    unit.clock_online(in.reset, in.first, {x_plus, x_minus, y_plus, y_minus}, y);
    return 2 * int{unit.online().output().plus} + int{unit.online().output().minus};
  });
}

int accsim_peek(void* handle, const char* signal, uint64_t* value) {
  return guarded(handle, [&](Unit& unit) {
    require(value, "value");
    const std::string_view name = text_of(signal, "signal");
    const accsim::sim::UnitSample sample = unit.peek(name);
    if (name == "acc") (void)word(0, unit.model().out_format());
    *value = sample.valid ? static_cast<std::uint64_t>(sample.value) : 0;
    return static_cast<int>(name == "valid" || name == "product_valid" ? sample.value != 0 : sample.valid);
  });
}

int accsim_check(void* handle, const char* signal, uint64_t found) {
  return guarded(handle, [&](Unit& unit) {
    const std::string_view name = text_of(signal, "signal");
    if (name == "acc") (void)word(0, unit.model().out_format());
    return static_cast<int>(unit.check(name, found));
  });
}

int accsim_check_value(void* handle, const char* what, uint64_t expected, uint64_t found) {
  return guarded(handle, [&](Unit& unit) {
    const std::string_view name = text_of(what, "what");
    if (expected == found) return 1;
    std::ostringstream text;
    text << std::hex << name << " expected " << expected << ", found " << found;
    return static_cast<int>(unit.mismatch(text.str()));
  });
}

int accsim_error_count(void* handle) {
  return guarded(handle, [](Unit& unit) { return unit.mismatch_count(); });
}

const char* accsim_error_text(void* handle, int index) {
  const auto* unit = static_cast<Unit*>(handle);
  if (unit == nullptr || index < 0 || static_cast<std::size_t>(index) >= unit->mismatches().size()) return "";
  return unit->mismatches()[static_cast<std::size_t>(index)].c_str();
}

}  // extern "C"
