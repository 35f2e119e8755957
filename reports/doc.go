// Package reports holds the forms of the result files that llada writes, and what is
// made of them. It knows the files alone, not how their contents came about.
package reports
