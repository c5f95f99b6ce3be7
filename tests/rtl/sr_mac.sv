// The multiply-accumulate of sr_fp12 with the hardware's own random bits: E5M2 operands, exact products, a 1+6+5-bit accumulator rounded
// stochastically, 13 random bits, the low ones of a 16-bit Galois LFSR (right, mask b400, seed ace1) that steps once a sum. Registers:
// product, accumulator. The sum is made in fixed point, 2^-35 the last place (that of the accumulator's subnormals).
// BUG: 1 a wrong tap of the LFSR, 2 one register too many, 3 the tail is cut to 12 bits.
module sr_mac #(
    parameter BUG = 0
) (
    input  logic        clk, rst, in_valid, first,
    input  logic [7:0]  a, b,
    output logic        out_valid,
    output logic [11:0] acc
);
  localparam logic [15:0] MASK = (BUG == 1) ? 16'hb800 : 16'hb400;
  localparam W = 72;

  function automatic logic is_nan(input logic [7:0] x);
    is_nan = (x[6:2] == 5'd31) & (x[1:0] != 2'd0);
  endfunction
  function automatic logic is_infinite(input logic [7:0] x);
    is_infinite = x[6:0] == 7'h7c;
  endfunction
  function automatic logic [2:0] significand(input logic [7:0] x);
    significand = {x[6:2] != 5'd0, x[1:0]};
  endfunction
  function automatic logic [4:0] exponent(input logic [7:0] x);  // from that of subnormals, 2^-14 - 2, on
    exponent = (x[6:2] == 5'd0) ? 5'd0 : x[6:2] - 5'd1;
  endfunction

  // The product's magnitude in units of 2^-35: (2^-16)^2 = 2^3 of them is the smallest.
  logic          p_valid, p_first, p_negative, p_nan, p_infinite;
  logic [W-1:0]  p_magnitude;
  logic [5:0]    p_shift;
  assign p_shift = {1'b0, exponent(a)} + {1'b0, exponent(b)} + 6'd3;
  always @(posedge clk) begin
    p_valid <= in_valid & !rst;
    p_first <= first;
    p_negative <= a[7] ^ b[7];
    p_nan <= is_nan(a) | is_nan(b) | (is_infinite(a) & (b[6:0] == 7'd0)) | (is_infinite(b) & (a[6:0] == 7'd0));
    p_infinite <= is_infinite(a) | is_infinite(b);
    p_magnitude <= {{(W - 6) {1'b0}}, {3'b0, significand(a)} * {3'b0, significand(b)}} << p_shift;
  end

  logic [15:0]  lfsr;
  logic [11:0]  acc_2, c, result;
  logic         valid_2;
  logic [W-1:0] c_magnitude, magnitude, kept;
  logic         negative, c_nan, c_infinite;
  logic [6:0]   top, drop;
  logic [W+12:0] with_tail;
  logic [12:0]  tail;
  logic [13:0]  carry;
  logic [W-1:0] code;

  function automatic logic [6:0] highest_bit(input logic [W-1:0] x);
    highest_bit = 7'd0;
    for (int i = 0; i < W; i = i + 1) if (x[i]) highest_bit = i[6:0];
  endfunction

  assign c = p_first ? 12'd0 : acc_2;
  assign c_nan = (c[10:5] == 6'd63) & (c[4:0] != 5'd0);
  assign c_infinite = c[10:0] == 11'h7e0;
  assign c_magnitude = (c[10:5] == 6'd0) ? {{(W - 5) {1'b0}}, c[4:0]} : {{(W - 6) {1'b0}}, 1'b1, c[4:0]} << (c[10:5] - 6'd1);
  assign magnitude = (c[11] == p_negative) ? c_magnitude + p_magnitude
                   : (c_magnitude >= p_magnitude) ? c_magnitude - p_magnitude : p_magnitude - c_magnitude;
  assign negative = (c[11] == p_negative) ? c[11]
                  : (c_magnitude == p_magnitude) ? 1'b0 : (c_magnitude > p_magnitude) ? c[11] : p_negative;
  assign top = highest_bit(magnitude);
  assign drop = (top > 7'd5) ? top - 7'd5 : 7'd0;
  assign with_tail = {magnitude, 13'd0} >> drop;
  assign kept = with_tail[W+12:13];
  assign tail = (BUG == 3) ? {with_tail[12:1], 1'b0} : with_tail[12:0];
  assign carry = {1'b0, tail} + {1'b0, lfsr[12:0]};
  // Field and fraction count on through the binades, so that a carry out of the fraction is the next exponent.
  assign code = kept + {{(W - 12) {1'b0}}, drop, 5'd0} + {{(W - 1) {1'b0}}, carry[13]};

  always @* begin
    if (c_nan | p_nan | (c_infinite & p_infinite & (c[11] != p_negative))) result = 12'h7f0;
    else if (c_infinite) result = c;
    else if (p_infinite) result = {p_negative, 11'h7e0};
    else if (code >= 72'h7e0) result = {negative, 11'h7e0};
    else result = {negative, code[10:0]};
  end

  always @(posedge clk) begin
    valid_2 <= p_valid & !rst;
    if (rst) begin
      acc_2 <= 12'd0;
      lfsr <= 16'hace1;
    end else if (p_valid) begin
      acc_2 <= result;
      lfsr <= lfsr[0] ? (lfsr >> 1) ^ MASK : lfsr >> 1;
    end
  end

  generate
    if (BUG == 2) begin : late
      logic        valid_3;
      logic [11:0] acc_3;
      always @(posedge clk) begin
        valid_3 <= valid_2 & !rst;
        acc_3 <= acc_2;
      end
      assign out_valid = valid_3;
      assign acc = acc_3;
    end else begin : on_time
      assign out_valid = valid_2;
      assign acc = acc_2;
    end
  endgenerate
endmodule
