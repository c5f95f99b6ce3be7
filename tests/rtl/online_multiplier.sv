// The radix-2 serial-parallel online multiplier, online delay 2: x digit by digit (plus - minus), most significant first, times Y =
// y / 2^B, y in two's complement. v = 2w + x Y / 4. `start` comes with the first digit of x; the digit of weight 2^-i stands in the output
// register after the edge that takes digit i + 2.
// BUG: 1 the residual's carry word is dropped, 2 selection starts a cycle late, 3 the estimate lacks its lowest bit.
module online_multiplier #(
    parameter B = 8,
    parameter BUG = 0
) (
    input  logic         clk, rst, start, x_plus, x_minus,
    input  logic [B-1:0] y,
    output logic         z_plus, z_minus
);
  localparam W = B + 4;  // B + 2 fraction bits beside two integer bits
  logic [W-1:0] s, c, row, v_sum, v_carry;
  logic [B-1:0] held, parallel;

  assign parallel = start ? y : held;
  // Y / 4 in units of the residual's last place is y.
  assign row = (x_plus == x_minus) ? {W{1'b0}}
             : x_plus ? {{4{parallel[B-1]}}, parallel} : -{{4{parallel[B-1]}}, parallel};
  assign v_sum = s ^ c ^ row;
  assign v_carry = (BUG == 1) ? {W{1'b0}} : {(s[W-2:0] & c[W-2:0]) | (s[W-2:0] & row[W-2:0]) | (c[W-2:0] & row[W-2:0]), 1'b0};
  always @(posedge clk) held <= rst ? {B{1'b0}} : parallel;

  online_residual #(.W(W), .DELAY((BUG == 2) ? 3 : 2), .ESTIMATE((BUG == 3) ? 4'b1110 : 4'b1111)) residual (
      .clk, .rst, .start, .twice_sum(s), .twice_carry(c), .v_sum, .v_carry, .z_plus, .z_minus);
endmodule
