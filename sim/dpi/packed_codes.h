// Codes as they cross the C interface: one a word, or packed from bit 0.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/error.h"
#include "formats/format.h"
#include "sim/dpi/accsim_dpi.h"

namespace accsim::sim {

/// InputError where the code is wider than its format.
inline formats::Code checked(formats::Code code, const formats::Format& format, const char* what) {
  if (code_bits(format) < 128 && (code >> code_bits(format)) != 0)
    throw InputError(what, "a code of more than " + std::to_string(code_bits(format)) + " bits", "a code of " + format.name);
  return code;
}

/// A code as one word.
inline std::uint64_t word(formats::Code code, const formats::Format& format) {
  if (code_bits(format) > 64) throw InputError("result", std::to_string(code_bits(format)) + " bits", "accsim_row for more than 64");
  return static_cast<std::uint64_t>(code);
}

/// The codes of a packed vector, term 0 at bit 0.
inline std::vector<formats::Code> unpacked(const std::uint32_t* words, int terms, const formats::Format& format, const char* what) {
  if (words == nullptr) throw InputError(what, "a null pointer", "a packed vector");
  const int bits = code_bits(format);
  if (terms < 1 || terms > ACCSIM_DPI_BITS / bits)
    throw InputError("terms", std::to_string(terms), "1 to " + std::to_string(ACCSIM_DPI_BITS / bits));
  std::vector<formats::Code> codes(static_cast<std::size_t>(terms));
  for (int i = 0; i < terms * bits; ++i) {
    const formats::Code bit = (words[i / 32] >> (i % 32)) & 1U;
    codes[static_cast<std::size_t>(i / bits)] |= bit << (i % bits);
  }
  return codes;
}

}  // namespace accsim::sim
