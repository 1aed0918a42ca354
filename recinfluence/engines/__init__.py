"""How retrainings are computed: one at a time, or many at once; the proof that they agree."""
