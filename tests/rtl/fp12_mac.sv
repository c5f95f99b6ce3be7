// The multiply-accumulate of `accsim show fp12`: a, b and acc 1+4+7 bits, bias 10, every code finite, no subnormals; the product rounded
// toward zero to 1+4+7 bits, bias 12; the sum rounded toward zero; both saturate. Three registers: operands, product, accumulator.
// BUG: 1 sticky bit lost in the alignment, 2 one register too many behind the accumulator, 3 the product's top carry is dropped.
module fp12_mac #(
    parameter BUG = 0
) (
    input  logic        clk, rst, in_valid, first,
    input  logic [11:0] a, b,
    output logic        product_valid, out_valid,
    output logic [11:0] product, acc
);
  // Field 0 with fraction 0 is the zero; every other code has the leading one.
  function automatic logic [7:0] significand(input logic [11:0] x);
    significand = {x[10:0] != 11'd0, x[6:0]} & {8{x[10:0] != 11'd0}};
  endfunction

  function automatic logic [11:0] multiply(input logic [11:0] x, input logic [11:0] y);
    logic [15:0] p;
    logic signed [6:0] field;
    logic [6:0] fraction;
    p = significand(x) * significand(y);
    if (BUG == 3) p[15] = 1'b0;
    // 2^(x - 10) * 2^(y - 10) = 2^(x + y - 8 - 12)
    field = $signed({3'b0, x[10:7]}) + $signed({3'b0, y[10:7]}) - 7'sd8 + (p[15] ? 7'sd1 : 7'sd0);
    fraction = p[15] ? p[14:8] : p[13:7];
    if (p == 16'd0 || field < 7'sd0) multiply = {x[11] ^ y[11], 11'd0};
    else if (field > 7'sd15) multiply = {x[11] ^ y[11], 4'd15, 7'd127};
    else multiply = {x[11] ^ y[11], field[3:0], fraction};
  endfunction

  function automatic logic [3:0] leading_zeros(input logic [11:0] x);
    logic seen;
    leading_zeros = 4'd0;
    seen = 1'b0;
    for (int i = 11; i >= 0; i = i - 1) begin
      if (x[i]) seen = 1'b1;
      if (!seen) leading_zeros = leading_zeros + 4'd1;
    end
  endfunction

  // c has bias 10, p bias 12: exponents are counted in p's.
  function automatic logic [11:0] add(input logic [11:0] c, input logic [11:0] p);
    logic [4:0] exp_c, exp_p, exp_big, distance;
    logic [7:0] sig_c, sig_p;
    logic c_is_big, sign, subtract, sticky;
    logic [10:0] big, lesser, shifted;
    logic [11:0] total, normal;
    logic [3:0] zeros;
    logic signed [6:0] field;
    sig_c = significand(c);
    sig_p = significand(p);
    exp_c = (sig_c == 8'd0) ? 5'd0 : {1'b0, c[10:7]} + 5'd2;
    exp_p = (sig_p == 8'd0) ? 5'd0 : {1'b0, p[10:7]};
    c_is_big = {exp_c, sig_c} >= {exp_p, sig_p};
    exp_big = c_is_big ? exp_c : exp_p;
    distance = c_is_big ? exp_c - exp_p : exp_p - exp_c;
    big = {c_is_big ? sig_c : sig_p, 3'b0};
    lesser = {c_is_big ? sig_p : sig_c, 3'b0};
    sign = c_is_big ? c[11] : p[11];
    subtract = c[11] != p[11];
    shifted = lesser >> distance;
    sticky = (shifted << distance) != lesser;
    if (BUG == 1) sticky = 1'b0;
    shifted[0] = shifted[0] | sticky;
    total = subtract ? {1'b0, big} - {1'b0, shifted} : {1'b0, big} + {1'b0, shifted};
    zeros = leading_zeros(total);
    normal = total << zeros;
    field = $signed({2'b0, exp_big}) - 7'sd2 + 7'sd1 - $signed({3'b0, zeros});
    if (total == 12'd0) add = {c[11] & p[11], 11'd0};
    else if (field < 7'sd0) add = {sign, 11'd0};
    else if (field > 7'sd15) add = {sign, 4'd15, 7'd127};
    else add = {sign, field[3:0], normal[10:4]};
  endfunction

  logic        valid_1, first_1, first_2, valid_2, valid_3;
  logic [11:0] a_1, b_1, acc_3;
  always @(posedge clk) begin
    valid_1 <= in_valid & !rst;
    first_1 <= first;
    a_1 <= a;
    b_1 <= b;
    valid_2 <= valid_1 & !rst;
    first_2 <= first_1;
    product <= multiply(a_1, b_1);
    valid_3 <= valid_2 & !rst;
    if (rst) acc_3 <= 12'd0;
    else if (valid_2) acc_3 <= add(first_2 ? 12'd0 : acc_3, product);
  end
  assign product_valid = valid_2;

  generate
    if (BUG == 2) begin : late
      logic        valid_4;
      logic [11:0] acc_4;
      always @(posedge clk) begin
        valid_4 <= valid_3 & !rst;
        acc_4 <= acc_3;
      end
      assign out_valid = valid_4;
      assign acc = acc_4;
    end else begin : on_time
      assign out_valid = valid_3;
      assign acc = acc_3;
    end
  endgenerate
endmodule
