package convert

// PlainTexts are the texts that must come back from their ids.
var PlainTexts = plainTexts
