// The carry-save residual of a radix-2 online multiplier with DELAY digits before its first: the words w are doubled, rows are added to them
// outside, and the digit is 1 where the estimate of the sum v (both words cut to quarters) is at least 1/2, -1 where at most -3/4, else 0;
// then w = v - digit. `start` comes with a vector's first digits, before which w is zero.
module online_residual #(
    parameter W = 12,     // bits of a word, two of them integer
    parameter DELAY = 2,  // up to 6
    parameter ESTIMATE = 4'b1111  // its bits that are looked at
) (
    input  logic         clk, rst, start,
    output logic [W-1:0] twice_sum, twice_carry,
    input  logic [W-1:0] v_sum, v_carry,
    output logic         z_plus, z_minus
);
  logic [W-1:0] sum, carry;
  logic [2:0]   seen, count;  // digits so far, up to DELAY
  logic [3:0]   estimate;
  logic         select, is_plus, is_minus;

  assign count = start ? 3'd0 : seen;
  assign twice_sum = start ? {W{1'b0}} : {sum[W-2:0], 1'b0};
  assign twice_carry = start ? {W{1'b0}} : {carry[W-2:0], 1'b0};
  assign estimate = (v_sum[W-1-:4] + v_carry[W-1-:4]) & ESTIMATE;
  assign select = count >= DELAY;
  assign is_plus = select & !estimate[3] & (estimate[2:0] >= 3'd2);
  assign is_minus = select & estimate[3] & (estimate[2:0] < 3'd6);
  always @(posedge clk) begin
    z_plus <= is_plus & !rst;
    z_minus <= is_minus & !rst;
    seen <= rst ? 3'd0 : select ? count : count + 3'd1;
    if (rst) begin
      sum <= {W{1'b0}};
      carry <= {W{1'b0}};
    end else if (select) begin
      sum <= {estimate - (is_plus ? 4'd4 : is_minus ? 4'd12 : 4'd0), v_sum[W-5:0]};
      carry <= {4'd0, v_carry[W-5:0]};
    end else begin
      sum <= v_sum;
      carry <= v_carry;
    end
  end
endmodule
