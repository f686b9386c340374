package pdfa

import "strings"

// cffStrings are the standard strings of the Compact Font Format (Adobe Technical
// Note 5176, appendix A). The first 149 behind .notdef are StandardEncoding in the order of its codes.
var cffStrings = strings.Fields(`
.notdef space exclam quotedbl numbersign dollar percent ampersand quoteright parenleft parenright asterisk plus comma
hyphen period slash zero one two three four five six seven eight nine colon semicolon less equal greater question at A
B C D E F G H I J K L M N O P Q R S T U V W X Y Z bracketleft backslash bracketright asciicircum underscore quoteleft
a b c d e f g h i j k l m n o p q r s t u v w x y z braceleft bar braceright asciitilde exclamdown cent sterling
fraction yen florin section currency quotesingle quotedblleft guillemotleft guilsinglleft guilsinglright fi fl endash
dagger daggerdbl periodcentered paragraph bullet quotesinglbase quotedblbase quotedblright guillemotright ellipsis
perthousand questiondown grave acute circumflex tilde macron breve dotaccent dieresis ring cedilla hungarumlaut ogonek
caron emdash AE ordfeminine Lslash Oslash OE ordmasculine ae dotlessi lslash oslash oe germandbls onesuperior
logicalnot mu trademark Eth onehalf plusminus Thorn onequarter divide brokenbar degree thorn threequarters twosuperior
registered minus eth multiply threesuperior copyright Aacute Acircumflex Adieresis Agrave Aring Atilde Ccedilla Eacute
Ecircumflex Edieresis Egrave Iacute Icircumflex Idieresis Igrave Ntilde Oacute Ocircumflex Odieresis Ograve Otilde
Scaron Uacute Ucircumflex Udieresis Ugrave Yacute Ydieresis Zcaron aacute acircumflex adieresis agrave aring atilde
ccedilla eacute ecircumflex edieresis egrave iacute icircumflex idieresis igrave ntilde oacute ocircumflex odieresis
ograve otilde scaron uacute ucircumflex udieresis ugrave yacute ydieresis zcaron exclamsmall Hungarumlautsmall
dollaroldstyle dollarsuperior ampersandsmall Acutesmall parenleftsuperior parenrightsuperior twodotenleader
onedotenleader zerooldstyle oneoldstyle twooldstyle threeoldstyle fouroldstyle fiveoldstyle sixoldstyle sevenoldstyle
eightoldstyle nineoldstyle commasuperior threequartersemdash periodsuperior questionsmall asuperior bsuperior
centsuperior dsuperior esuperior isuperior lsuperior msuperior nsuperior osuperior rsuperior ssuperior tsuperior ff
ffi ffl parenleftinferior parenrightinferior Circumflexsmall hyphensuperior Gravesmall Asmall Bsmall Csmall Dsmall
Esmall Fsmall Gsmall Hsmall Ismall Jsmall Ksmall Lsmall Msmall Nsmall Osmall Psmall Qsmall Rsmall Ssmall Tsmall Usmall
Vsmall Wsmall Xsmall Ysmall Zsmall colonmonetary onefitted rupiah Tildesmall exclamdownsmall centoldstyle Lslashsmall
Scaronsmall Zcaronsmall Dieresissmall Brevesmall Caronsmall Dotaccentsmall Macronsmall figuredash hypheninferior
Ogoneksmall Ringsmall Cedillasmall questiondownsmall oneeighth threeeighths fiveeighths seveneighths onethird
twothirds zerosuperior foursuperior fivesuperior sixsuperior sevensuperior eightsuperior ninesuperior zeroinferior
oneinferior twoinferior threeinferior fourinferior fiveinferior sixinferior seveninferior eightinferior nineinferior
centinferior dollarinferior periodinferior commainferior Agravesmall Aacutesmall Acircumflexsmall Atildesmall
Adieresissmall Aringsmall AEsmall Ccedillasmall Egravesmall Eacutesmall Ecircumflexsmall Edieresissmall Igravesmall
Iacutesmall Icircumflexsmall Idieresissmall Ethsmall Ntildesmall Ogravesmall Oacutesmall Ocircumflexsmall Otildesmall
Odieresissmall OEsmall Oslashsmall Ugravesmall Uacutesmall Ucircumflexsmall Udieresissmall Yacutesmall Thornsmall
Ydieresissmall 001.000 001.001 001.002 001.003 Black Bold Book Light Medium Regular Roman Semibold`)

// glyphRunes are the characters of the glyph names of Latin text, after the Adobe
// Glyph List, of those that stand in WinAnsiEncoding, MacRomanEncoding,
// StandardEncoding and Vietnamese text.
var glyphRunes = map[string]rune{
	"space": 0x0020, "exclam": 0x0021, "quotedbl": 0x0022, "numbersign": 0x0023, "dollar": 0x0024, "percent": 0x0025,
	"ampersand": 0x0026, "quoteright": 0x2019, "parenleft": 0x0028, "parenright": 0x0029, "asterisk": 0x002a,
	"plus": 0x002b, "comma": 0x002c, "hyphen": 0x002d, "period": 0x002e, "slash": 0x002f, "zero": 0x0030, "one": 0x0031,
	"two": 0x0032, "three": 0x0033, "four": 0x0034, "five": 0x0035, "six": 0x0036, "seven": 0x0037, "eight": 0x0038,
	"nine": 0x0039, "colon": 0x003a, "semicolon": 0x003b, "less": 0x003c, "equal": 0x003d, "greater": 0x003e,
	"question": 0x003f, "at": 0x0040, "A": 0x0041, "B": 0x0042, "C": 0x0043, "D": 0x0044, "E": 0x0045, "F": 0x0046,
	"G": 0x0047, "H": 0x0048, "I": 0x0049, "J": 0x004a, "K": 0x004b, "L": 0x004c, "M": 0x004d, "N": 0x004e, "O": 0x004f,
	"P": 0x0050, "Q": 0x0051, "R": 0x0052, "S": 0x0053, "T": 0x0054, "U": 0x0055, "V": 0x0056, "W": 0x0057, "X": 0x0058,
	"Y": 0x0059, "Z": 0x005a, "bracketleft": 0x005b, "backslash": 0x005c, "bracketright": 0x005d, "asciicircum": 0x005e,
	"underscore": 0x005f, "quoteleft": 0x2018, "a": 0x0061, "b": 0x0062, "c": 0x0063, "d": 0x0064, "e": 0x0065,
	"f": 0x0066, "g": 0x0067, "h": 0x0068, "i": 0x0069, "j": 0x006a, "k": 0x006b, "l": 0x006c, "m": 0x006d, "n": 0x006e,
	"o": 0x006f, "p": 0x0070, "q": 0x0071, "r": 0x0072, "s": 0x0073, "t": 0x0074, "u": 0x0075, "v": 0x0076, "w": 0x0077,
	"x": 0x0078, "y": 0x0079, "z": 0x007a, "braceleft": 0x007b, "bar": 0x007c, "braceright": 0x007d,
	"asciitilde": 0x007e, "exclamdown": 0x00a1, "cent": 0x00a2, "sterling": 0x00a3, "fraction": 0x2044, "yen": 0x00a5,
	"florin": 0x0192, "section": 0x00a7, "currency": 0x00a4, "quotesingle": 0x0027, "quotedblleft": 0x201c,
	"guillemotleft": 0x00ab, "guilsinglleft": 0x2039, "guilsinglright": 0x203a, "fi": 0xfb01, "fl": 0xfb02,
	"endash": 0x2013, "dagger": 0x2020, "daggerdbl": 0x2021, "periodcentered": 0x00b7, "paragraph": 0x00b6,
	"bullet": 0x2022, "quotesinglbase": 0x201a, "quotedblbase": 0x201e, "quotedblright": 0x201d,
	"guillemotright": 0x00bb, "ellipsis": 0x2026, "perthousand": 0x2030, "questiondown": 0x00bf, "grave": 0x0060,
	"acute": 0x00b4, "circumflex": 0x02c6, "tilde": 0x02dc, "macron": 0x00af, "breve": 0x02d8, "dotaccent": 0x02d9,
	"dieresis": 0x00a8, "ring": 0x02da, "cedilla": 0x00b8, "hungarumlaut": 0x02dd, "ogonek": 0x02db, "caron": 0x02c7,
	"emdash": 0x2014, "AE": 0x00c6, "ordfeminine": 0x00aa, "Lslash": 0x0141, "Oslash": 0x00d8, "OE": 0x0152,
	"ordmasculine": 0x00ba, "ae": 0x00e6, "dotlessi": 0x0131, "lslash": 0x0142, "oslash": 0x00f8, "oe": 0x0153,
	"germandbls": 0x00df, "onesuperior": 0x00b9, "logicalnot": 0x00ac, "mu": 0x00b5, "trademark": 0x2122, "Eth": 0x00d0,
	"onehalf": 0x00bd, "plusminus": 0x00b1, "Thorn": 0x00de, "onequarter": 0x00bc, "divide": 0x00f7,
	"brokenbar": 0x00a6, "degree": 0x00b0, "thorn": 0x00fe, "threequarters": 0x00be, "twosuperior": 0x00b2,
	"registered": 0x00ae, "minus": 0x2212, "eth": 0x00f0, "multiply": 0x00d7, "threesuperior": 0x00b3,
	"copyright": 0x00a9, "Aacute": 0x00c1, "Acircumflex": 0x00c2, "Adieresis": 0x00c4, "Agrave": 0x00c0,
	"Aring": 0x00c5, "Atilde": 0x00c3, "Ccedilla": 0x00c7, "Eacute": 0x00c9, "Ecircumflex": 0x00ca, "Edieresis": 0x00cb,
	"Egrave": 0x00c8, "Iacute": 0x00cd, "Icircumflex": 0x00ce, "Idieresis": 0x00cf, "Igrave": 0x00cc, "Ntilde": 0x00d1,
	"Oacute": 0x00d3, "Ocircumflex": 0x00d4, "Odieresis": 0x00d6, "Ograve": 0x00d2, "Otilde": 0x00d5, "Scaron": 0x0160,
	"Uacute": 0x00da, "Ucircumflex": 0x00db, "Udieresis": 0x00dc, "Ugrave": 0x00d9, "Yacute": 0x00dd,
	"Ydieresis": 0x0178, "Zcaron": 0x017d, "aacute": 0x00e1, "acircumflex": 0x00e2, "adieresis": 0x00e4,
	"agrave": 0x00e0, "aring": 0x00e5, "atilde": 0x00e3, "ccedilla": 0x00e7, "eacute": 0x00e9, "ecircumflex": 0x00ea,
	"edieresis": 0x00eb, "egrave": 0x00e8, "iacute": 0x00ed, "icircumflex": 0x00ee, "idieresis": 0x00ef,
	"igrave": 0x00ec, "ntilde": 0x00f1, "oacute": 0x00f3, "ocircumflex": 0x00f4, "odieresis": 0x00f6, "ograve": 0x00f2,
	"otilde": 0x00f5, "scaron": 0x0161, "uacute": 0x00fa, "ucircumflex": 0x00fb, "udieresis": 0x00fc, "ugrave": 0x00f9,
	"yacute": 0x00fd, "ydieresis": 0x00ff, "zcaron": 0x017e, "Euro": 0x20ac, "notequal": 0x2260, "infinity": 0x221e,
	"lessequal": 0x2264, "greaterequal": 0x2265, "partialdiff": 0x2202, "summation": 0x2211, "product": 0x220f,
	"pi": 0x03c0, "integral": 0x222b, "Omega": 0x2126, "radical": 0x221a, "approxequal": 0x2248, "Delta": 0x2206,
	"lozenge": 0x25ca, "Abreve": 0x0102, "abreve": 0x0103, "Dcroat": 0x0110, "dcroat": 0x0111, "Itilde": 0x0128,
	"itilde": 0x0129, "Utilde": 0x0168, "utilde": 0x0169, "Ohorn": 0x01a0, "ohorn": 0x01a1, "Uhorn": 0x01af,
	"uhorn": 0x01b0,
}
