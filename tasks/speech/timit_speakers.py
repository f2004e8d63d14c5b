"""Who is in which split of TIMIT, and which phones are told apart.

The core test set is that of TIMIT's own documentation: two men and a woman of each of the eight dialect regions. The 50
development speakers are the ones that the Kaldi toolkit's recipe uses (egs/timit/s5/conf/dev_spk.list; 400 sentences),
after Halberstadt's thesis (MIT 1998). All of them are in the TEST folder; training has the 462 speakers of TRAIN.
"""

TRAIN_SPEAKERS = 462
SENTENCES = 8
"""Of each speaker: 5 SX and 3 SI. The 2 SA, which all speakers read, are left out."""

VALIDATION = frozenset(
    """FAKS0 FDAC1 FJEM0 MGWT0 MJAR0 MMDB1 MMDM2 MPDF0 FCMH0 FKMS0 MBDG0 MBWM0 MCSH0 FADG0 FDMS0 FEDW0 MGJF0 MGLB0 MRTK0
    MTAA0 MTDT0 MTHC0 MWJG0 FNMR0 FREW0 FSEM0 MBNS0 MMJR0 MDLS0 MDLF0 MDVC0 MERS0 FMAH0 FDRW0 MRCS0 MRJM4 FCAL1 MMWH0
    FJSJ0 MAJC0 MJSW0 MREB0 FGJD0 FJMG0 MROA0 MTEB0 MJFC0 MRJR0 FMML0 MRWS1""".split()  # noqa: SIM905
)
TEST = frozenset(
    """MDAB0 MWBT0 FELC0 MTAS1 MWEW0 FPAS0 MJMP0 MLNT0 FPKT0 MLLL0 MTLS0 FJLM0 MBPM0 MKLT0 FNLP0 MCMJ0 MJDH0 FMGD0 MGRT0
    MNJM0 FDHC0 MJLN0 MPAM0 FMLD0""".split()  # noqa: SIM905
)

_SCORED = """aa:aa,ao ae:ae ah:ah,ax,ax-h aw:aw ay:ay b:b ch:ch d:d dh:dh dx:dx eh:eh er:er,axr ey:ey f:f g:g hh:hh,hv
    ih:ih,ix iy:iy jh:jh k:k l:l,el m:m,em n:n,en,nx ng:ng,eng ow:ow oy:oy p:p r:r s:s sh:sh,zh t:t th:th uh:uh uw:uw,ux
    v:v w:w y:y z:z sil:h#,pau,epi,bcl,dcl,gcl,pcl,tcl,kcl"""
FOLDED = {
    phone: kind for kind, phones in (entry.split(":") for entry in _SCORED.split()) for phone in phones.split(",")
}
"""The 60 phones that are scored, and the 39 classes they are scored as (Lee & Hon 1989, IEEE TASSP 37, 1641-1648)."""
LEFT_OUT = "q"
"""The glottal stop: trained, and left out of both sequences before scoring."""

PHONES = tuple(sorted([*FOLDED, LEFT_OUT]))
"""The 61 phones of TIMIT's transcriptions."""
CLASSES = tuple(sorted(set(FOLDED.values())))
