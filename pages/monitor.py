import streamlit as st

st.title("Monitor")
